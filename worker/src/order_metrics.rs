//! The orders' own figures, beside the SDK's: how orders ended, what is in stock, which faults were
//! simulated.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use activities::{Activity, faults::FaultPoint};
use inventory::Inventory;
use temporal::telemetry::Metrics;
use temporalio_common::telemetry::metrics::{
    Counter, Gauge, MetricAttributes, MetricKeyValue, MetricParameters,
};
use temporalio_sdk::{
    WorkerOptions,
    interceptors::{ActivityInboundInterceptor, ExecuteActivityInput, ExecuteActivityOutput, Next},
};
use tokio::sync::Notify;

/// How soon the stock is looked at after an activity ended; more that end until then are looked at
/// together.
const SOON: Duration = Duration::from_millis(500);

/// How often the stock is looked at where this worker does nothing: other workers change it too, and
/// people by hand.
const AT_LEAST_EVERY: Duration = Duration::from_secs(5);

/// The orders' own figures. Cheap to clone; all clones count together.
#[derive(Clone)]
pub struct OrderMetrics {
    metrics: Metrics,
    orders: Counter,
    faults: Counter,
    stock: Gauge,
    activity_ended: Arc<Notify>,
}

impl OrderMetrics {
    /// Kept where the SDK's are.
    pub fn new(metrics: &Metrics) -> Self {
        let meter = metrics.meter();
        let figure = |name: &'static str, description: &'static str| {
            MetricParameters::builder()
                .name(name)
                .description(description)
                .build()
        };
        let figures = Self {
            metrics: metrics.clone(),
            orders: meter.counter(figure(
                "order_management_orders",
                "Orders whose process ended on this worker, by outcome",
            )),
            faults: meter.counter(figure(
                "order_management_faults",
                "Simulated faults, by activity and by point: before or after its effect",
            )),
            stock: meter.gauge(figure(
                "order_management_stock",
                "Units in stock, by product ID",
            )),
            activity_ended: Arc::new(Notify::new()),
        };
        figures.begin_at_zero();
        figures
    }

    /// A counter that is there before its first event shows that event as a rise.
    fn begin_at_zero(&self) {
        for outcome in ["managed", "duplicate", "rejected", "failed", "cancelled"] {
            self.count(outcome, 0);
        }
        for activity in Activity::ALL {
            self.count_fault(activity, FaultPoint::Before, 0);
            self.count_fault(activity, FaultPoint::After, 0);
        }
    }

    /// An order ended.
    pub fn ended(&self, outcome: &str) {
        self.count(outcome, 1);
    }

    /// An attempt was failed on purpose.
    pub fn fault(&self, activity: Activity, point: FaultPoint) {
        self.count_fault(activity, point, 1);
    }

    fn count(&self, outcome: &str, orders: u64) {
        let labels = self.labels([("outcome", outcome.to_owned())]);
        self.orders.add(orders, &labels);
    }

    fn count_fault(&self, activity: Activity, point: FaultPoint, faults: u64) {
        let point = match point {
            FaultPoint::Before => "before",
            FaultPoint::After => "after",
        };
        let labels = [
            ("activity", activity.name().to_owned()),
            ("point", point.to_owned()),
        ];
        self.faults.add(faults, &self.labels(labels));
    }

    /// Makes a worker's activities tell when they end.
    pub fn watch(&self, options: &mut WorkerOptions) {
        options.activity_inbound_interceptor(ActivityEnds(Arc::clone(&self.activity_ended)));
    }

    /// Keeps the stock's figures up to date, without end. An inventory that does not exist yet is not
    /// created. If it cannot be read, the figures stay as they are: the orders report what is wrong
    /// with it.
    pub async fn follow_stock(&self, inventory: Inventory) {
        let mut known = BTreeSet::new();
        loop {
            if let Some(stock) = read(&inventory).await {
                known.extend(stock.iter().map(|(product, _)| product.clone()));
                for product in &known {
                    let units = stock.iter().find(|(id, _)| id == product);
                    let units = units.map_or(0, |(_, units)| *units);
                    let labels = self.labels([("product", product.clone())]);
                    self.stock.record(units.into(), &labels);
                }
            }
            let ended = self.activity_ended.notified();
            if tokio::time::timeout(AT_LEAST_EVERY, ended).await.is_ok() {
                tokio::time::sleep(SOON).await;
            }
        }
    }

    fn labels<const N: usize>(&self, labels: [(&'static str, String); N]) -> MetricAttributes {
        let labels = labels.map(|(key, value)| MetricKeyValue::new(key, value));
        self.metrics.meter().new_attributes(labels.into())
    }
}

/// Every product's units, or none if there is no inventory or it cannot be read.
async fn read(inventory: &Inventory) -> Option<Vec<(String, u32)>> {
    let products = inventory.products().await.ok()?.into_iter();
    Some(products.map(|it| (it.product, it.in_stock)).collect())
}

struct ActivityEnds(Arc<Notify>);

impl ActivityInboundInterceptor for ActivityEnds {
    fn execute_activity<'a>(
        &'a self,
        input: ExecuteActivityInput,
        next: Next<'a, ExecuteActivityInput, ExecuteActivityOutput<'a>>,
    ) -> ExecuteActivityOutput<'a> {
        Box::pin(async move {
            let result = next.run(input).await;
            self.0.notify_one();
            result
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[tokio::test]
    async fn looking_at_an_inventory_that_is_not_there_does_not_make_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("inventory.json");
        let inventory = Inventory::at(&file.clone().into(), SystemTime::now).unwrap();
        assert_eq!(read(&inventory).await, None);
        assert!(!file.exists());
        inventory.identity().await.unwrap();
        let stock = read(&inventory).await;
        assert_eq!(stock, Some(vec![("123456".to_owned(), 1000)]));
    }
}
