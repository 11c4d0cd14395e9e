/** The only module that uses the clock, timers, random numbers and the network. */

/** The current time, epoch milliseconds. */
export function now(): number {
  return Date.now()
}

/** Runs `run` once after `delayMs`; the returned function cancels it. */
export function setTimer(run: () => void, delayMs: number): () => void {
  const timer = setTimeout(run, delayMs)
  return () => clearTimeout(timer)
}

/** Runs `run` every `periodMs` until the returned function is called. */
export function setRepeatingTimer(run: () => void, periodMs: number): () => void {
  const timer = setInterval(run, periodMs)
  return () => clearInterval(timer)
}

/** A random number from 0 to 1, to spread the retries of many pages. Not for secrets. */
export function randomFraction(): number {
  return Math.random()
}

/** A new idempotency key: a request that is sent again with the same key is executed once. */
export function createIdempotencyKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Sends a request; `url` is always built by `api/client.ts` from the page's own address. */
export function sendRequest(url: URL, init: RequestInit): Promise<Response> {
  return fetch(url, init)
}
