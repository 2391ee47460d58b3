//! What can be done about the builds of the workers: new orders go to one or another, and a bad one is
//! taken back.

use std::sync::Arc;

use web::stage::StageError;

use super::backstage::{Backstage, failed, refused};

/// The builds of the workers behind the page.
pub struct Builds(pub Arc<Backstage>);

impl Builds {
    /// Gives new orders to a build: this many percent of them, or all.
    ///
    /// # Errors
    /// Returns an error if there is no such build, its worker does not run, or the server refuses.
    pub async fn deploy(&self, id: &str, percent: u8) -> Result<(), StageError> {
        self.check(id)?;
        let view = self.0.view().borrow().clone();
        if !view.builds.iter().any(|build| build.id == id && build.runs) {
            return Err(refused(format!("start a worker of build {id} first")));
        }
        let deployment = self.0.deployment();
        let deployed = deployment.deploy(id, f32::from(percent)).await;
        deployed.map_err(failed)?;
        self.look().await
    }

    /// Gives no more new orders to a build, and moves those under way on it to the newest build before it
    /// whose worker runs.
    ///
    /// # Errors
    /// Returns an error if there is no such build, or the server refuses.
    pub async fn take_back(&self, id: &str) -> Result<(), StageError> {
        self.check(id)?;
        let view = self.0.view().borrow().clone();
        let earlier = view.builds.iter().take_while(|build| build.id != id);
        let good = earlier.filter(|build| build.runs).last();
        let good = good.ok_or_else(|| refused(format!("no build before build {id} runs")))?;
        let moved = self.0.deployment().take_back(id, &good.id).await;
        moved.map_err(failed)?;
        self.look().await
    }

    fn check(&self, id: &str) -> Result<(), StageError> {
        self.0.check_server()?;
        let known = self.0.view().borrow().builds.iter().any(|it| it.id == id);
        let unknown = || StageError::Unknown("there is no such build".to_owned());
        known.then_some(()).ok_or_else(unknown)
    }

    /// Shows where new orders go, as the server has it.
    async fn look(&self) -> Result<(), StageError> {
        let builds = self.0.deployment().builds().await.map_err(failed)?;
        self.0.change_builds(|shown| {
            let build = builds.iter().find(|build| build.id == shown.id);
            shown.percent = build.map_or(0, |build| build.percent.round() as u8);
        });
        Ok(())
    }
}
