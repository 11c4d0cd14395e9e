import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BodyText } from '../../src/http/body-text.ts'

const TEXT = `\ufeffascii, é, 語, 😀 ${'x'.repeat(50)}`

test('the text is that of all bytes, however they are split and whatever length was announced', () => {
  const bytes = Buffer.from(TEXT)
  for (const expected of [0, 1, bytes.length, bytes.length + 100]) {
    for (let size = 1; size <= bytes.length; size++) {
      const text = new BodyText(expected)
      for (let at = 0; at < bytes.length; at += size) text.push(bytes.subarray(at, at + size))
      assert.equal(text.take(), TEXT, `${expected} bytes announced, pieces of ${size}`)
      assert.equal(text.take(), '')
    }
  }
})

test('invalid UTF-8 becomes replacement characters, also at the end', () => {
  const text = new BodyText(0)
  for (const byte of [0x61, 0xff, 0xc3, 0x28, 0xe8, 0xaa]) text.push(Buffer.of(byte))
  assert.equal(text.take(), Buffer.from([0x61, 0xff, 0xc3, 0x28, 0xe8, 0xaa]).toString())
})

test('a body that was cleared leaves nothing', () => {
  const text = new BodyText(10)
  text.push(Buffer.from('ab'))
  text.push(Buffer.from('cd'))
  text.clear()
  text.push(Buffer.from('e'))
  assert.equal(text.take(), 'e')
})
