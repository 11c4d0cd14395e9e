import type { AnswerScope } from '../storage/answer-store.ts'
import { Flight, type Member } from './flight.ts'
import type { CacheKey } from './key-resolver.ts'

export interface Flights<Result> {
  /**
   * Joins the flight to this place, or begins one and leads it. With `alone` a new one begins in any case, and later
   * callers join that. The number of flights is bounded by that of the callers who wait in them.
   */
  board(
    place: CacheKey,
    passenger: { readonly signal: AbortSignal | undefined; readonly alone?: boolean },
    begin: (flight: Flight<Result>) => void,
  ): { readonly member: Member<Result>; readonly leads: boolean }
  /** False once it was detached or another one took its place: what it brings is not kept. */
  isCurrent(flight: Flight<Result>): boolean
  /** Nobody can join it any more. Those on board stay. */
  detach(flight: Flight<Result>): void
  detachAll(matches: (scope: AnswerScope) => boolean): void
}

export function createFlights<Result>(): Flights<Result> {
  const flights = new Map<string, Flight<Result>>()

  function detach(flight: Flight<Result>): void {
    if (flights.get(flight.place.key) === flight) flights.delete(flight.place.key)
  }

  return {
    board(place, { signal, alone = false }, begin) {
      const found = alone ? undefined : flights.get(place.key)
      // A flight of an earlier generation is not joined: what it brings was asked for before the forgetting.
      if (found !== undefined && found.place.generation === place.generation)
        return { member: found.enter(signal), leads: false }
      const flight = new Flight<Result>(place, detach)
      flights.set(place.key, flight)
      const member = flight.enter(signal)
      begin(flight)
      return { member, leads: true }
    },
    isCurrent: (flight) => flights.get(flight.place.key) === flight,
    detach,
    detachAll(matches) {
      for (const flight of flights.values()) if (matches(flight.place.scope)) detach(flight)
    },
  }
}
