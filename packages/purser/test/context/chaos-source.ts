import type { SourceCall, SourceFunction } from '../../src/context/api.ts'
import type { HandClock } from '../../src/testing/hand-clock.ts'

/** What a backend can do to its caller. */
export const BEHAVIOURS = ['never', 'late', 'rejects', 'throws', 'wrong', 'twice', 'blocks', 'well'] as const
export type Behaviour = (typeof BEHAVIOURS)[number]

export interface Chaos {
  behaviour: Behaviour
  readonly source: SourceFunction
  /** Calls that were made, and those that have not ended. */
  calls: number
  unsettled: number
  mostUnsettled: number
  /** How long it has held up the loop, in all. */
  blockedMs: number
}

const LATE_MS = 700
const BLOCK_MS = 90

/** A backend that misbehaves as told, on a clock that is driven by hand. `data` makes what a healthy call gives. */
export function chaos(clock: HandClock, data: (user: string) => unknown): Chaos {
  const backend: Chaos = {
    behaviour: 'well',
    calls: 0,
    unsettled: 0,
    mostUnsettled: 0,
    blockedMs: 0,
    source(user, order) {
      backend.calls += 1
      const given = behave(user, order)
      if (given instanceof Promise) {
        backend.unsettled += 1
        backend.mostUnsettled = Math.max(backend.mostUnsettled, backend.unsettled)
        const settled = (): void => {
          backend.unsettled -= 1
        }
        given.then(settled, settled)
      }
      return given as Promise<object>
    },
  }

  function behave(user: string, { signal }: SourceCall): unknown {
    switch (backend.behaviour) {
      case 'never':
        return new Promise(() => undefined)
      case 'late':
        return new Promise((resolve) => clock.setTimer(() => resolve(data(user)), LATE_MS))
      case 'rejects':
        return Promise.reject(signal.aborted ? signal.reason : new Error('backend down'))
      case 'throws':
        throw new Error('backend broken')
      case 'wrong':
        return backend.calls % 2 === 0 ? 42 : { deep: circle() }
      case 'twice':
        return callsBackTwice(data(user))
      case 'blocks':
        clock.advance(BLOCK_MS)
        backend.blockedMs += BLOCK_MS
        return data(user)
      default:
        return Promise.resolve(data(user))
    }
  }
  return backend
}

function circle(): unknown {
  const one: Record<string, unknown> = {}
  one.self = one
  return one
}

/** A thenable that keeps none of the rules. */
function callsBackTwice(data: unknown): unknown {
  const name = 'then'
  return {
    [name](resolve: (value: unknown) => void, reject: (error: unknown) => void) {
      resolve(data)
      resolve({ name: 'second' })
      reject(new Error('third'))
    },
  }
}
