//! A few numbers about small samples: medians, quantiles, and how sure a ratio of medians is.
//!
//! Medians, because one run in which the machine was busy with something else should not move the
//! result. Everything is deterministic: the same raw data give the same report.
//!
//! ```
//! use heap_meter::statistics::{Interval, RatioOfMedians};
//!
//! let control = [10.0, 11.0, 10.5, 10.2, 10.8];
//! let hole = [20.9, 21.3, 20.1, 21.8, 21.0];
//! let ratio = RatioOfMedians::of(&control, &hole);
//! assert_eq!(ratio.ratio, Some(2.0));
//! assert!(matches!(ratio.interval, Interval::Known { low, high } if low > 1.8 && high < 2.2));
//! ```

mod bootstrap;
mod interval;
mod quantile;

pub use bootstrap::RatioOfMedians;
pub use interval::Interval;
pub use quantile::{median, quantile};
