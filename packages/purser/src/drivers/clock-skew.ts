import type { StoreFinding } from '../storage/store.ts'

/** Windows of limits begin and end by the clocks of the instances; a second is invisible there. */
const MAX_SKEW_MS = 1_000

/** `skewMs`: the clock of the store's server minus that of this machine. */
export function findClockSkew(skewMs: number): StoreFinding {
  return {
    check: 'clock',
    ok: Math.abs(skewMs) <= MAX_SKEW_MS,
    detail: `${Math.round(Math.abs(skewMs))} ms ${skewMs > 0 ? 'behind' : 'ahead of'} the store`,
    hint: 'Synchronize the clocks of both machines: timedatectl set-ntp true',
  }
}
