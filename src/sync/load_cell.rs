//! A value that one of many makes, threads or tasks: the others wait for it, and where one fails, panics or gives up, the next one's turn comes.

use async_lock::OnceCell;

/// See the module.
#[derive(Debug)]
pub struct LoadCell<T>(OnceCell<T>);

impl<T> LoadCell<T> {
    pub fn new() -> Self {
        Self(OnceCell::new())
    }

    /// The value; `make` makes it where nobody has. Blocks while somebody else is at it.
    pub fn get_or_try_init<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        self.0.get_or_try_init_blocking(make)
    }

    /// The same for a task: it waits.
    pub async fn get_or_try_init_async<E>(&self, make: impl Future<Output = Result<T, E>>) -> Result<&T, E> {
        self.0.get_or_try_init(|| make).await
    }
}
