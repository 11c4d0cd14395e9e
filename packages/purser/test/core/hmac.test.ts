import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { createMac } from '../../src/core/hmac.ts'

const keys = fc.uint8Array({ minLength: 0, maxLength: 64 })
const messages = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.integer({ min: 2_000, max: 2_100 }).map((length) => 'ß'.repeat(length)),
  fc.integer({ min: 2_000, max: 70_000 }).map((length) => 'x'.repeat(length)),
)

test("a MAC equals that of Node's own HMAC, for any sequence of messages", () => {
  fc.assert(
    fc.property(keys, fc.array(messages, { minLength: 1, maxLength: 8 }), (key, texts) => {
      const mac = createMac(key)
      for (const text of texts) {
        for (const encoding of ['hex', 'base64url'] as const) {
          assert.equal(mac(text, encoding), createHmac('sha256', key).update(text).digest(encoding))
        }
      }
    }),
    { numRuns: 200 },
  )
})
