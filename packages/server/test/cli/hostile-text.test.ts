import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { describe, it } from 'node:test'
import { openPurser } from 'purser'
import { escapeControls, escapeLines } from '../../src/app/escape-controls.ts'
import { run } from '../../src/cli/run.ts'
import { createTempDirectory, MAIN, runPurser, SOURCE_FLAGS } from '../support/processes.ts'

/** Everything that can control a terminal, hide in text or end a line: all of C0, DEL, C1, and what Unicode adds. */
const HOSTILE = [
  ...Array.from({ length: 0x21 }, (_, index) => String.fromCharCode(0x7f + index)).filter((c) => c < '\u00a0'),
  ...'\u00ad\u034f\u061c\u115f\u180e\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069',
  ...'\u3164\ufdd0\ufdd1\ufeff\uffa0\ufff9',
  '\u{e0041}',
]
/** Text that users may store; ids and names have rules of their own. */
const STORED = `a${HOSTILE.join('')}\x1b[31m\x1b]0;title\x07\r\nz`
/** What must not be in any output but line feeds. */
const FORBIDDEN =
  /[^\P{Cc}\n]|\u034f|[\p{Zl}\p{Zp}\u00ad\u061c\u115f\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufdd0-\ufdef\ufeff\uffa0\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]/u

/** What the commands themselves print on a terminal with colors. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one.
const STYLE = /\x1b\[(?:1|2|22|31|32|33|39)m/g

function assertHarmless(text: string, what: string): void {
  const found = FORBIDDEN.exec(text)
  assert.equal(
    found,
    null,
    `${what}: U+${found?.[0].codePointAt(0)?.toString(16)} in ${JSON.stringify(text.slice(0, 200))}`,
  )
}

describe('escaping', () => {
  it('leaves no unsafe character, and ordinary text of all scripts as it is', () => {
    for (const character of [...HOSTILE, '\0', '\x1b', '\r', '\t', '\ud800'])
      assertHarmless(escapeControls(`x${character}y`), JSON.stringify(character))
    assert.equal(escapeControls('\n\x1b[2J\x9b\u202e'), '\\x0a\\x1b[2J\\u009b\\u202e')
    for (const text of ['Grüße – 你好 😀', '👩‍👩‍👧 ❤️', 'می‌خواهم', 'क्‍ष', '\u0600\u06dd'])
      assert.equal(escapeControls(text), text)
  })

  it('of lines keeps line feeds, and of JSON the value', () => {
    const value = { text: STORED, [STORED]: [STORED, '\ud800'] }
    const line = escapeLines(`${JSON.stringify(value)}\n`)
    assertHarmless(line, 'JSON')
    assert.ok(line.endsWith('\n'))
    assert.deepEqual(JSON.parse(line), value)
  })
})

describe('text that users have stored', () => {
  const directory = createTempDirectory()

  it('is escaped by every command, with and without --json', async () => {
    const purser = await openPurser({ store: `sqlite:${join(directory, 'data', 'purser.db')}` })
    const user = purser.user('ada\u202e')
    await user.ledger.observe({ phase: 'p\u202e\u2028\u200b' })
    await user.ledger.addNote(STORED, { actor: 'op\u202e' })
    await user.ledger.record('app:said', { detail: STORED.replaceAll(/[\p{Cc}]/gu, '\u009b'), data: { text: STORED } })
    await user.ledger.block({ actor: 'op\u2066', reason: 'r\u202e\u200e\u2029' })
    await user.profile.put({ about: STORED, [`k${STORED}`]: 1 })
    await purser.close()
    const id = 'ada\u202e'
    for (const args of [
      ['users'],
      ['show', id],
      ['events', id],
      ['cap', id],
      ['block', id, '--reason', 'x\u202e'],
      ['unblock', id],
      ['note', id, 'x\u202e'],
      ['limit', id, 'daily', 'reset', '--reason', 'x\u202e'],
      ['verify', id],
      ['show', 'bob\u202e'],
      ['export', id],
      ['users', '--phase', 'p\u202e\u2028\u200b'],
      ['keys', 'create', '--role', 'viewer', '--name', 'k\u202e'],
      ['keys', 'list'],
      ['keys', 'revoke', 'x\u202e\x1b'],
      ['set', id, 'model=x\u202e'],
      ['nothing\u202e\x1b[31m'],
      ['users', '--a\u202e\x1b[31m'],
      ['import', 'missing\u202e\x1b'],
    ])
      for (const json of [[], ['--json']]) {
        const { stdout, stderr } = await runPurser([...args, ...json], directory)
        assertHarmless(stdout, `stdout of ${args[0]} ${json}`)
        assertHarmless(stderr, `stderr of ${args[0]} ${json}`)
        if (json.length > 0 && !['nothing\u202e\x1b[31m'].includes(args[0] ?? ''))
          for (const line of stdout.trim().split('\n')) if (line !== '' && args[0] !== 'export') JSON.parse(line)
      }
  })

  it('is imported as it was exported', async () => {
    const id = 'ada\u202e'
    const before = await runPurser(['export', id], directory)
    const file = join(directory, 'export.ndjson')
    for (const [name, text] of Object.entries({
      asWritten: before.stdout,
      withRawSeparators: before.stdout
        .replaceAll('\\u2028', '\u2028')
        .replaceAll('\\u2029', '\u2029')
        .replaceAll('\\u0085', '\u0085'),
      withCarriageReturns: before.stdout.replaceAll('\n', '\r\n'),
      withByteOrderMark: `\ufeff${before.stdout}`,
      withoutLastLineFeed: before.stdout.trimEnd(),
    })) {
      writeFileSync(file, text)
      const target = createTempDirectory()
      const imported = await runPurser(['import', file, '--json'], target)
      assert.equal(imported.code, 0, `${name}: ${imported.stdout}${imported.stderr}`)
      const store = await openPurser({ store: `sqlite:${join(target, 'data', 'purser.db')}` })
      const user = store.user(id)
      assert.equal((await user.ledger.notes()).at(-1)?.text, STORED, name)
      assert.deepEqual(await user.profile.get(), { about: STORED, [`k${STORED}`]: 1 }, name)
      await store.close()
    }
  })
})

describe('a server that sends hostile text', () => {
  for (const isStyled of [false, true])
    it(`controls no terminal${isStyled ? ' with colors' : ''}`, async () => {
      const raw = `\x1b]0;owned\x07\u009b31m\u202e${STORED}`
      const bodies = [
        JSON.stringify({ data: [{ user: raw, phase: raw, id: raw, at: raw, type: raw, detail: raw }], cursor: raw }),
        JSON.stringify({ error: { code: raw, message: raw, hint: raw } }),
        `${raw}\n`,
        `event: ledger\ndata: ${JSON.stringify({ at: raw, user: raw, type: raw, detail: raw })}\n\nevent: ledger\ndata: "\u009b\u202e"\n\n`,
      ]
      let body = ''
      const server = createServer((request, response) => {
        const isBond = request.url?.endsWith('/bond')
        response.writeHead(body.includes('"error"') && !isBond ? 500 : 200, {
          'content-type': request.url?.endsWith('/events') ? 'text/event-stream' : 'application/json',
        })
        response.end(body)
      })
      await once(server.listen(0, '127.0.0.1'), 'listening')
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      for (body of bodies)
        for (const args of [
          ['users'],
          ['show', 'ada'],
          ['events', 'ada'],
          ['tail'],
          ['tail', '--json'],
          ['cap', 'ada'],
          ['export', 'ada'],
          ['verify'],
        ]) {
          const { stdout, stderr } = await runStyled([...args, '--url', url, '--key', 'k'.repeat(40)], isStyled)
          const withoutStyles = (text: string): string => text.replaceAll(STYLE, '')
          assertHarmless(isStyled ? withoutStyles(stdout) : stdout, `stdout of ${args.join(' ')}`)
          assertHarmless(isStyled ? withoutStyles(stderr) : stderr, `stderr of ${args.join(' ')}`)
        }
      server.close()
    })
})

/** Runs a command in this process, as on a terminal with colors or on a pipe. */
async function runStyled(args: readonly string[], isTTY: boolean): Promise<{ stdout: string; stderr: string }> {
  const text = { stdout: '', stderr: '' }
  const capture = (name: 'stdout' | 'stderr') =>
    Object.assign(
      new Writable({
        write(part, _encoding, done) {
          text[name] += String(part)
          done()
        },
      }),
      { isTTY: name === 'stdout' && isTTY },
    )
  await run(args, {
    stdin: Readable.from([]),
    stdout: capture('stdout'),
    stderr: capture('stderr'),
    environment: {},
    directory: createTempDirectory(),
    signal: AbortSignal.timeout(20_000),
  })
  return text
}

describe('a reader of the output that leaves', () => {
  const directory = createTempDirectory()
  const environment = { PATH: process.env.PATH, PURSER_STORE: `sqlite:${join(directory, 'purser.db')}` }

  it('ends every command quietly', async () => {
    const purser = await openPurser({ store: `sqlite:${join(directory, 'purser.db')}` })
    for (let index = 0; index < 300; index++)
      await purser.user('ada').ledger.addNote('n'.repeat(2_000), { actor: 'op' })
    await purser.user('bob').ledger.admit()
    await purser.close()
    for (const args of [['export', 'ada'], ['events', 'ada', '--limit', '300'], ['users', '--json'], ['--help']]) {
      const child = spawn(process.execPath, [...SOURCE_FLAGS, MAIN, ...args], {
        cwd: directory,
        env: environment,
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      child.stdout.destroy()
      let stderr = ''
      child.stderr.setEncoding('utf8').on('data', (part: string) => {
        stderr += part
      })
      const [code] = (await once(child, 'close')) as [number | null]
      assert.deepEqual([args[0], code, stderr], [args[0], 0, ''])
    }
  })
})
