/** Every touch of the world outside the page: its clock, its timers, chance and the network. */

/** Epoch milliseconds. */
export function now(): number {
  return Date.now()
}

/** Runs `run` once after `delayMs`; the returned function cancels it. */
export function after(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs)
  return () => clearTimeout(timer)
}

/** Runs `run` again and again, every `periodMs`; the returned function ends it. */
export function every(periodMs: number, run: () => void): () => void {
  const timer = setInterval(run, periodMs)
  return () => clearInterval(timer)
}

/** A number from 0 to 1 that spreads retries of many pages; nothing secret depends on it. */
export function chance(): number {
  return Math.random()
}

/** A key under which a repeated request counts once. */
export function freshKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The network; `address` is always one that `api/client.ts` made from the page's own address. */
export function request(address: URL, init: RequestInit): Promise<Response> {
  return fetch(address, init)
}
