//! Who a person is and who may be told. Pure: no I/O, no serde, no clock.
