import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Turn } from '../../../src/turn/take-turn.ts'
import { rounds } from '../../support/fuzz-options.ts'
import { noRedis, type RedisServer, startRedis, untilTrue } from '../../support/redis-server.ts'
import { begin, chunk, openTurnHarness, type TurnHarness } from '../../support/turn-harness.ts'

const PERSISTENT = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '', '--rdbcompression', 'no']

/** Everything that the person was and said has this in it. */
const MARK = 'unmistakable'

/** The files of the server that contain the mark. */
function filesWithMark({ directory }: RedisServer): string[] {
  return globSync('**/*', { cwd: directory, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(MARK))
}

/** Every key with the mark in its name or in what it holds. */
async function keysWithMark(server: RedisServer): Promise<string[]> {
  const keys = await server.command<string[]>('KEYS', '*')
  const marked: string[] = []
  for (const key of keys) {
    const type = await server.command<string>('TYPE', key)
    const content = await contentOf(server, type, key)
    if (key.includes(MARK) || JSON.stringify(content).includes(MARK)) marked.push(key)
  }
  return marked
}

function contentOf(server: RedisServer, type: string, key: string): Promise<unknown> {
  if (type === 'hash') return server.command('HGETALL', key)
  if (type === 'zset') return server.command('ZRANGE', key, '0', '-1')
  if (type === 'set') return server.command('SMEMBERS', key)
  return server.command('GET', key)
}

/** Rewrites the append-only file and writes a snapshot, and waits for both. */
async function rewrite(server: RedisServer): Promise<void> {
  await server.command('BGREWRITEAOF')
  const isIdle = async (): Promise<boolean> => {
    const info = await server.command<string>('INFO', 'persistence')
    return info.includes('aof_rewrite_in_progress:0') && info.includes('aof_rewrite_scheduled:0')
  }
  await untilTrue(isIdle, 'The append-only file is not rewritten.')
  await server.command('SAVE')
}

/** Reads the answer until it ends or is cut. */
async function readOut(turn: Turn): Promise<'ended' | 'cut'> {
  assert.ok(turn.allowed)
  try {
    for await (const _ of turn.chunks);
    return 'ended'
  } catch {
    return 'cut'
  }
}

async function fill({ purser }: TurnHarness, id: string): Promise<void> {
  const user = purser.user(id)
  await user.profile.put({ name: `${MARK} name` })
  await user.actions.record({ action: `${MARK} action` })
  await user.ledger.addNote(`${MARK} note`, { actor: 'test' })
  await user.ledger.record('acme:n', { detail: `${MARK} detail`, data: { text: MARK } })
  await user.runtime.configure({ parameters: { stopSequences: [`${MARK} parameter`] } })
  await user.runtime.startSession(`${MARK}-session`, { policy: 'pin' })
  await user.answers.remember({ question: `${MARK} question` }, async () => `${MARK} answer`)
}

describe('an erasure on Redis', { skip: noRedis }, () => {
  test('ends a stream of another instance, and leaves no byte in any key, append-only file or snapshot', async () => {
    await using server = await startRedis({ args: PERSISTENT })
    const options = {
      store: server.url(),
      secretKey: Buffer.alloc(32, 7).toString('base64'),
      answers: { enabled: true },
    }
    await using eraser = await openTurnHarness(options)
    await using streamer = await openTurnHarness(options)
    for (let round = 0; round < rounds(200, 3); round++) {
      const id = `${MARK}-user-${round}`
      await fill(streamer, id)
      // The search finds what is there.
      assert.ok((await keysWithMark(server)).length > 5 && filesWithMark(server).length > 0)
      const isErased = Promise.withResolvers<void>()
      streamer.upstream.answer = async (response) => {
        begin(response, `${MARK} word`)
        await isErased.promise
        response.write(chunk({ content: `${MARK} rest` }))
        response.write(chunk({}, 'stop'))
        response.end('data: [DONE]\n\n')
      }
      const message = { role: 'user', content: `${MARK} message` } as const
      const turn = await streamer.user(id).turn({ messages: [message], stream: true })
      const reading = readOut(turn)
      const { erased } = await eraser.user(id).erase({ actor: 'test', reason: 'asked' })
      assert.equal(erased.bond, 1)
      isErased.resolve()
      await reading
      await streamer.purser.answers.flush()
      // Nothing that the turn still writes creates the user again.
      assert.equal((await streamer.user(id).ledger.bond()).exists, false)
      assert.equal((await eraser.user(id).ledger.bond()).exists, false)
    }
    assert.deepEqual(await keysWithMark(server), [])
    await rewrite(server)
    assert.deepEqual(filesWithMark(server), [])
    assert.equal((await eraser.purser.verify()).ok, true)
  })
})
