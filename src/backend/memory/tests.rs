//! What only the memory adapter can show: time that passes at will, restarts of the model, and what is dropped when.
