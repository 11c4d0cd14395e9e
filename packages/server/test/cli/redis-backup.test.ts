import assert from 'node:assert/strict'
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { noRedis, startRedis } from '../../../purser/test/support/redis-server.ts'
import { createTempDirectory, runPurser } from '../support/processes.ts'

const KINDS = {
  'a snapshot': { args: ['--appendonly', 'no', '--save', ''], file: 'dump.rdb' },
  'the append-only files': {
    args: ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''],
    file: 'appendonlydir',
  },
}

describe('backups of Redis', { skip: noRedis }, () => {
  for (const [name, { args, file }] of Object.entries(KINDS))
    test(`a copy of ${name} is restored on another server, and everything verifies`, async () => {
      await using source = await startRedis({ args })
      await using target = await startRedis({ args })
      const directory = createTempDirectory()
      const secret = ['--secret-key', Buffer.alloc(32, 3).toString('base64')]
      const { search } = new URL(source.url())
      const run = (line: string, port: number) =>
        runPurser([...line.split(' '), '--store', `redis://127.0.0.1:${port}/0${search}`, ...secret], directory)
      for (const line of ['cap ada 7', 'note ada first', 'erase bob --reason test --confirm bob'])
        assert.ok([0, 3].includes((await run(line, source.port)).code ?? -1), line)
      await source.command('SAVE')
      target.kill('SIGKILL')
      rmSync(join(target.directory, file), { recursive: true, force: true })
      cpSync(join(source.directory, file), join(target.directory, file), { recursive: true })
      await target.restart()
      const verified = await run('verify --json', target.port)
      assert.equal(JSON.parse(verified.stdout).ok, true)
      for (const line of ['verify --json', 'users --json', 'show ada --json', 'events ada --json'])
        assert.equal((await run(line, target.port)).stdout, (await run(line, source.port)).stdout, line)
      assert.equal((await run('cap ada 8', target.port)).code, 0, 'and can be written')
    })
})
