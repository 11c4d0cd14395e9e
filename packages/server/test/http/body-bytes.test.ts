import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BodyBytes } from '../../src/http/body-bytes.ts'

const TEXT = `\ufeffascii, é, 語, 😀 ${'x'.repeat(50)}`

test('the text is that of all bytes, however they are split and whatever length was announced', () => {
  const bytes = Buffer.from(TEXT)
  for (const expected of [0, 1, bytes.length, bytes.length + 100]) {
    for (let size = 1; size <= bytes.length; size++) {
      const text = new BodyBytes(expected)
      for (let at = 0; at < bytes.length; at += size) text.push(bytes.subarray(at, at + size))
      assert.equal(text.toText(), TEXT, `${expected} bytes announced, pieces of ${size}`)
      assert.equal(text.own().toString(), TEXT)
      text.clear()
      assert.equal(text.toText(), '')
    }
  }
})

test('invalid UTF-8 is found in one chunk and over several', () => {
  for (const bytes of [
    [0x61, 0xff],
    [0xc3, 0x28],
    [0xe8, 0xaa],
    [0xed, 0xa0, 0x80],
  ]) {
    const whole = new BodyBytes(0)
    whole.push(Buffer.from(bytes))
    const pieces = new BodyBytes(0)
    for (const byte of bytes) pieces.push(Buffer.of(byte))
    assert.deepEqual([whole.isUtf8(), pieces.isUtf8()], [false, false])
  }
})

test('a body that was cleared leaves nothing', () => {
  const text = new BodyBytes(10)
  text.push(Buffer.from('ab'))
  text.push(Buffer.from('cd'))
  text.clear()
  text.push(Buffer.from('e'))
  assert.equal(text.toText(), 'e')
})
