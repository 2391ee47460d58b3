//! One write for all who wait.
//!
//! Callers put their change in a queue. Whoever finds nobody writing leads:
//! takes the whole queue, writes it in one batch and hands out the results.
//! What arrives meanwhile is the next leader's batch.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::{
    batch::{Batch, Job},
    error::InventoryError,
    store::Store,
};

struct Ticket<F, T>(Mutex<Progress<F, T>>);

struct Progress<F, T> {
    decide: Option<F>,
    result: Option<Result<T, InventoryError>>,
    finished: bool,
}

impl<F, T> Job for Ticket<F, T>
where
    F: FnOnce(&mut Batch<'_>) -> Result<T, InventoryError> + Send,
    T: Send,
{
    fn decide(&self, batch: &mut Batch<'_>) {
        let mut progress = lock(&self.0);
        if let Some(decide) = progress.decide.take() {
            progress.result = Some(decide(batch));
        }
    }

    fn fail(&self, error: &InventoryError) {
        lock(&self.0).result = Some(Err(error.clone()));
    }

    fn finish(&self) {
        lock(&self.0).finished = true;
    }

    fn is_finished(&self) -> bool {
        lock(&self.0).finished
    }
}

/// The queue in front of a store.
pub(crate) struct GroupCommit {
    queue: Mutex<Queue>,
    moved: Condvar,
    store: Mutex<Store>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Arc<dyn Job>>,
    somebody_leads: bool,
}

impl GroupCommit {
    pub fn new(store: Store) -> Self {
        Self {
            queue: Mutex::default(),
            moved: Condvar::new(),
            store: Mutex::new(store),
        }
    }

    /// Makes a change together with those that others wait for; returns once it
    /// is on disk.
    pub fn change<T: Send + 'static>(
        &self,
        decide: impl FnOnce(&mut Batch<'_>) -> Result<T, InventoryError> + Send + 'static,
    ) -> Result<T, InventoryError> {
        let ticket = Arc::new(Ticket(Mutex::new(Progress {
            decide: Some(decide),
            result: None,
            finished: false,
        })));
        let mut queue = lock(&self.queue);
        queue.waiting.push(Arc::clone(&ticket) as Arc<dyn Job>);
        while !ticket.is_finished() {
            if queue.somebody_leads {
                queue = self
                    .moved
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            queue.somebody_leads = true;
            let jobs = std::mem::take(&mut queue.waiting);
            drop(queue);
            self.lead(jobs);
            queue = lock(&self.queue);
        }
        drop(queue);
        let result = lock(&ticket.0).result.take();
        result.unwrap_or(Err(InventoryError::Interrupted))
    }

    fn lead(&self, jobs: Vec<Arc<dyn Job>>) {
        let leadership = Leadership { of: self, jobs };
        let mut store = lock(&self.store);
        store.run(&leadership.jobs);
    }
}

/// Held while leading. Given up in any case, a panic included: those who wait
/// must not wait for ever.
struct Leadership<'a> {
    of: &'a GroupCommit,
    jobs: Vec<Arc<dyn Job>>,
}

impl Drop for Leadership<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The store's memory may be half changed; its lock is free by now.
            lock(&self.of.store).forget();
            for job in &self.jobs {
                job.fail(&InventoryError::Interrupted);
            }
        }
        // Under the queue's lock, or a waiter could miss the news between
        // looking and sleeping.
        let mut queue = lock(&self.of.queue);
        for job in &self.jobs {
            job.finish();
        }
        queue.somebody_leads = false;
        self.of.moved.notify_all();
    }
}

/// A lock that a panic left is taken all the same: what it guards is put right
/// in [`Leadership`].
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::mpsc,
        thread,
        time::SystemTime,
    };

    use orders::Item;

    use super::*;
    use crate::{placement::Placement, steps, store::Paths};

    fn changes(folder: &tempfile::TempDir) -> GroupCommit {
        let paths = Paths::beside(folder.path().join("inventory.json"));
        GroupCommit::new(Store::new(paths, SystemTime::now))
    }

    /// Makes all these changes in one batch.
    fn in_one_batch<T: Send + 'static>(
        changes: &GroupCommit,
        decide: Vec<impl FnOnce(&mut Batch<'_>) -> Result<T, InventoryError> + Send + 'static>,
    ) -> Vec<thread::Result<Result<T, InventoryError>>> {
        let (go, wait) = mpsc::channel::<()>();
        let (led, leads) = mpsc::channel();
        thread::scope(|scope| {
            // Leads, and holds the others up until they are all in the queue.
            scope.spawn(|| {
                changes.change(move |_| {
                    led.send(()).unwrap();
                    wait.recv().unwrap();
                    Ok(())
                })
            });
            leads.recv().unwrap();
            let callers = decide.len();
            let waiting: Vec<_> = decide
                .into_iter()
                .map(|it| {
                    scope.spawn(|| catch_unwind(AssertUnwindSafe(move || changes.change(it))))
                })
                .collect();
            while lock(&changes.queue).waiting.len() < callers {
                thread::yield_now();
            }
            go.send(()).unwrap();
            waiting.into_iter().map(|it| it.join().unwrap()).collect()
        })
    }

    #[test]
    fn those_who_wait_share_one_batch() {
        let folder = tempfile::tempdir().unwrap();
        let changes = changes(&folder);
        let reserve = |number: usize| {
            move |batch: &mut Batch<'_>| {
                let before = batch.ledger_len();
                let placement = Placement::new(format!("order-{number}"), "run");
                steps::reserve(batch, &placement, &[Item::new("123456", 1)])?;
                Ok(before)
            }
        };
        for before in in_one_batch(&changes, (0..8).map(reserve).collect()) {
            // None of them saw another one's line on disk.
            assert_eq!(before.unwrap().unwrap(), 0);
        }
        assert_eq!(changes.change(|batch| batch.stock("123456")).unwrap(), 992);
    }

    #[test]
    fn the_same_step_twice_in_one_batch_has_one_effect() {
        let folder = tempfile::tempdir().unwrap();
        let changes = changes(&folder);
        let attempt = |_| {
            |batch: &mut Batch<'_>| {
                let placement = Placement::new("order-1", "run");
                steps::reserve(batch, &placement, &[Item::new("123456", 1)])?;
                steps::charge(batch, &placement, "VISA")
            }
        };
        let results = in_one_batch(&changes, (0..4).map(attempt).collect());
        let charges: Vec<_> = results.into_iter().map(|it| it.unwrap().unwrap()).collect();
        assert!(charges.iter().all(|it| it.number == "charge-000002"));
        assert_eq!(charges.iter().filter(|it| !it.already).count(), 1);
        assert_eq!(changes.change(|batch| batch.stock("123456")).unwrap(), 999);
    }

    #[test]
    fn what_rests_on_a_change_that_could_not_be_written_fails_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let changes = changes(&folder);
        changes.change(|batch| Ok(batch.products())).unwrap();
        // In the way of the inventory file's next content.
        let next = folder.path().join("inventory.json.tmp");
        std::fs::create_dir(&next).unwrap();
        let submit = |number: usize| {
            move |batch: &mut Batch<'_>| {
                let placement = Placement::new("order-1", format!("run-{number}"));
                steps::reserve(batch, &placement, &[Item::new("123456", 1)])
            }
        };
        // One of them is reserved, the others find it a duplicate of that.
        for result in in_one_batch(&changes, (0..4).map(submit).collect()) {
            assert!(
                matches!(result, Ok(Err(InventoryError::Io { .. }))),
                "{result:?}"
            );
        }
        assert_eq!(changes.change(|batch| batch.stock("123456")).unwrap(), 1000);
    }

    #[test]
    fn a_change_that_fails_half_way_leaves_no_trace_in_its_batch() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("inventory.json");
        let stock = |a: u32, b: u32| {
            let record =
                |id, stock| format!(r#"{{"orderID":"0","productID":"{id}","inStock":{stock}}}"#);
            std::fs::write(&file, format!("[{},{}]", record("a", a), record("b", b))).unwrap();
        };
        stock(10, 10);
        let changes = changes(&folder);
        let placement = Placement::new("order-1", "run");
        let holder = placement.clone();
        let both = [Item::new("a", 3), Item::new("b", 3)];
        changes
            .change(move |batch| steps::reserve(batch, &holder, &both))
            .unwrap();
        stock(7, u32::MAX);
        let in_stock = changes.change(move |batch| {
            steps::release(batch, &placement).unwrap_err();
            batch.stock("a")
        });
        assert_eq!(in_stock.unwrap(), 7);
    }

    #[test]
    fn a_panic_of_the_leader_leaves_nobody_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let changes = changes(&folder);
        let change = |number: usize| {
            move |_: &mut Batch<'_>| {
                assert_ne!(number, 2, "a bug");
                Ok(())
            }
        };
        let results = in_one_batch(&changes, (0..4).map(change).collect());
        let interrupted =
            |it: &&thread::Result<_>| matches!(it, Ok(Err(InventoryError::Interrupted)));
        assert_eq!(results.iter().filter(interrupted).count(), 3);
        assert_eq!(results.iter().filter(|it| it.is_err()).count(), 1);
        assert_eq!(changes.change(|batch| batch.stock("123456")).unwrap(), 1000);
    }
}
