/*
 * Absent instants in the columns of a database: they are out of range, so that every order has an index without NULLs.
 */

/** `seen_at` of a user who was never seen: earlier than all dates, so that it sorts lowest. */
export const NEVER_SEEN = -8.64e15
/** `cap_used_until` of a window that never ends: later than all dates. */
export const FOREVER = 8.64e15
