//! What the measurements share: an app to measure, a client that makes load, and medians.

mod app;
mod client;
mod figures;
mod image;

pub use app::app;
pub use client::Client;
pub use figures::{Figure, median, percentile, report};
pub use image::image_path;
