//! The checker's own teeth: for each invariant a history that passes and, one change away, one that fails with exactly that invariant.
//!
//! `story` tells correct runs; each other file spoils them, the last one at random.

mod messages;
mod nodes;
mod people;
mod readers;
mod spoilt;
mod story;
mod table;
