/** How long one connection may wait for its client. A test passes shorter times. */
export interface ConnectionTimeouts {
  /** For the head of a request, from the first byte or, on a new connection, from its start. */
  readonly headersMs: number
  /** For a whole request; the response may take longer. */
  readonly requestMs: number
  /** How often the two limits above are checked. */
  readonly checkMs: number
  /** For a client to take any byte of a response; longer than the check of the head, which answers with 408. */
  readonly inactivityMs: number
  /** For the next request after a response. */
  readonly keepAliveMs: number
}

export const CONNECTION_TIMEOUTS: ConnectionTimeouts = {
  headersMs: 20_000,
  requestMs: 75_000,
  checkMs: 5_000,
  inactivityMs: 30_000,
  keepAliveMs: 72_000,
}
