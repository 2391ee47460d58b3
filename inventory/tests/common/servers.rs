use std::path::PathBuf;
pub struct Postgres;
pub struct B;
impl Postgres {
    pub fn builder() -> B { B }
    pub fn url(&self) -> String { "postgres://postgres@127.0.0.1:54329/postgres".into() }
    pub fn program(&self, p: &str) -> PathBuf { format!("/tmp/pg/inst/bin/{p}").into() }
}
impl B { pub fn max_connections(self, _: u32) -> Self { self } pub async fn start(self) -> Result<Postgres, String> { Ok(Postgres) } }
