//! The GObject shells: each element's properties, signals, pads and states, and the coordinator behind them.

pub(crate) mod sink;
pub(crate) mod source;
