import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type * as library from 'purser'
import type * as wire from '../../src/api/wire.ts'

/** A value of the library as a response has it: this compiles only while the schema of the response is true. */
type Sent<Value extends Expected, Expected> = Value

/** Every type of the API that is a value of the library. */
interface Checked {
  readonly bond: Sent<library.Bond, wire.Bond>
  readonly event: Sent<library.Event, wire.Event>
  readonly note: Sent<library.Note, wire.Note>
  readonly verification: Sent<library.Verification, wire.Verification>
  readonly settings: Sent<library.Settings, wire.Settings>
  readonly session: Sent<library.Session, wire.RuntimeSession>
  readonly authorization: Sent<library.McpAuthorization, wire.McpAuthorization>
  readonly explanation: Sent<library.Explanation, wire.Context>
  readonly limit: Sent<library.LimitState, wire.LimitState>
  readonly plan: Sent<library.Plan, wire.Plan>
  readonly instance: Sent<library.Instance, wire.Instance>
  readonly stats: Sent<library.AnswerStats, wire.AnswerStats>
  readonly receipt: Sent<library.EraseReceipt, wire.EraseReceipt>
}

describe('the types of the API', () => {
  it('are those of the library where a response is one of its values', () => {
    const checked: Partial<Checked> = {}
    assert.deepEqual(checked, {})
  })
})
