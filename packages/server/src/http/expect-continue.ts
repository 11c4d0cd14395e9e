import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { HttpError } from '../app/errors.ts'

const waiting = new WeakMap<IncomingMessage, ServerResponse>()

/**
 * Answers `Expect: 100-continue` when the body is about to be read, not before: a client without a valid key, or with a
 * body that is too large, gets the error and need not send it. Node closes the connection after such an answer.
 */
export function deferContinue(server: Server): void {
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    waiting.set(request, response)
    server.emit('request', request, response)
  })
  // Node's own answer is no error body, and reads the body of the request without a limit.
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    server.emit('request', request, response)
  })
}

/** Asks a client that waits for it to send its body. */
export function requestBody(request: IncomingMessage): void {
  waiting.get(request)?.writeContinue()
  waiting.delete(request)
}

/** The 417 of an expectation that HTTP does not have; undefined for any other request. */
export function unknownExpectation({ headers: { expect }, httpVersion }: IncomingMessage): HttpError | undefined {
  if (expect === undefined || httpVersion !== '1.1' || /^\s*100-continue\s*$/i.test(expect)) return undefined
  return new HttpError(417, 'invalid_request_error', 'Unsupported expectation.', {
    hint: 'Send no Expect header, or Expect: 100-continue.',
  })
}
