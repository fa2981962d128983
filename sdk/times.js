// The times and bounds that the connection, the clock and the follower go by, and nothing that runs. In a module that imports nothing:
// there a minifier knows that no number is read before it is there, and puts it where it is used.

// The connection.

/** Clock pings make the server speak each 5 s: three of them missed, and nobody is there. */
export const SILENCE_MS = 15_000;
/** A connection that held so long was no flap: the next loss starts with short waits again. */
export const STEADY_MS = 10_000;
/** A socket that was opened longer ago than this, before the network came back, is not waited for. */
export const STUCK_MS = 1_000;
/** How long `leave` waits for the server to close. */
export const LEAVE_MS = 2_000;

// The clock.

/** Samples that count: so new, so many. */
export const WINDOW_MS = 60_000;
export const WINDOW = 24;
/** Enough to know the quickest way. */
export const SETTLED = 5;
export const BURST = 10;
export const BURST_GAP_MS = 100;
/** Then one each 5 s, and four each minute. */
export const EVERY_MS = 5_000;
export const EXTRA = 4;
export const EXTRA_EVERY_MS = 60_000;
/** Smaller changes are slewed at this rate (5 ms/s): no film jumps for a better estimate. */
export const SLEW_MAX_MS = 50;
export const SLEW = 0.005;
/** Two samples so far off, their own uncertainty apart, mean that a clock moved. */
export const OFF_MS = 250;
/** What this computer's wall clock gains on its monotonic one while it sleeps. */
export const SLEPT_MS = 2_000;

// The follower.

export const TICK_MS = 50;
export const POLL_MS = 100;
export const DECIDE_MS = 250;
/** Frames are believed while they come; a hidden tab shows none. */
export const FRAMES_MS = 250;
/** A player that stands is put exactly where the film stands, which is a whole millisecond: who paused is left alone, everybody else shows the same frame. */
export const WHOLE_MS = 1;
/** It is put there again while it is farther off than this; so often, as some only know keyframes. */
export const EXACT_MS = 20;
export const EXACT_TRIES = 3;
/** What a player has to have loaded to be ready. */
export const BUFFER_MS = 2_000;
export const READY_EVERY_MS = 1_000;
/** After a start or a seek nothing is judged for so long, or until the player says `playing`. */
export const STILL_MS = 1_000;
/** A seek that says nothing for so long is over. */
export const SEEK_LOST_MS = 5_000;
/** From `play()` to the first moving frame, until it was measured; and the part of each new measurement that counts. */
export const START_MS = 40;
export const START_GAIN = 0.5;
export const START_MAX_MS = 500;
/** A start that would be later is sought ahead of the film again; one that would be farther off too. */
export const LATE_MS = 100;
export const EARLY_MS = 1_000;
/** A page whose ticks came later than that within so long keeps no time: who missed a start there is sought, which needs none, and not started anew. */
export const HELD_MS = 500;
/** A start that was late is planned anew before anybody was sought so often. */
export const PLANS = 2;
/** How old a gesture may be, and how long an effect of our own may take to be told. */
export const GESTURE_MS = 1_000;
export const ECHO_MS = 2_000;
/** How long a player waits, as its owner left it, for their own command to come back. */
export const OWN_MS = 2_000;
/** Reports come more often while the player is so far off. */
export const REPORT_MS = 5_000;
export const REPORT_FAR_MS = 1_000;
export const FAR_MS = 100;
/** Drift as it is told: five minutes of decisions, without the three seconds after a command. */
export const KEPT = 1_200;
export const COMMAND_MS = 3_000;
