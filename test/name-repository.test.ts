import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'

const root = join(import.meta.dirname, '..')
const { GITHUB_SERVER_URL, GITHUB_REPOSITORY, ...environment } = process.env

describe('the address of the repository in the packages', () => {
  let clone: string

  before(() => {
    clone = mkdtempSync(join(tmpdir(), 'purser-repository-'))
    for (const name of ['purser', 'server']) {
      mkdirSync(join(clone, 'packages', name), { recursive: true })
      cpSync(join(root, 'packages', name, 'package.json'), join(clone, 'packages', name, 'package.json'))
    }
    execFileSync('git', ['init', '--quiet', clone])
  })
  after(() => rmSync(clone, { recursive: true, force: true }))

  const manifestOf = (name: string) => readFileSync(join(clone, 'packages', name, 'package.json'), 'utf8')
  const run = (variables: Record<string, string> = {}) =>
    spawnSync(process.execPath, [join(root, 'scripts', 'name-repository.mjs'), clone], {
      env: { ...environment, ...variables },
      encoding: 'utf8',
    })

  it('is that of the workflow that builds, and nothing else changes', () => {
    const before = JSON.parse(manifestOf('server'))
    const { status } = run({ GITHUB_SERVER_URL: 'https://git.example', GITHUB_REPOSITORY: 'acme/purser' })
    assert.equal(status, 0)
    assert.deepEqual(JSON.parse(manifestOf('server')), {
      ...before,
      repository: { type: 'git', url: 'git+https://git.example/acme/purser.git', directory: 'packages/server' },
      homepage: 'https://git.example/acme/purser#readme',
      bugs: 'https://git.example/acme/purser/issues',
    })
    assert.equal(JSON.parse(manifestOf('purser')).repository.directory, 'packages/purser')
  })

  it("is that of the remote 'origin' in a clone, without credentials", () => {
    const remotes = [
      'https://ada:secret@git.example/acme/purser.git',
      'https://git.example/acme/purser',
      'git@git.example:acme/purser.git',
      'ssh://git@git.example:2222/acme/purser.git',
    ]
    execFileSync('git', ['-C', clone, 'remote', 'add', 'origin', 'https://git.example/other/name'])
    for (const remote of remotes) {
      execFileSync('git', ['-C', clone, 'remote', 'set-url', 'origin', remote])
      assert.equal(run().stdout, 'The packages name https://git.example/acme/purser.\n', remote)
      assert.ok(!manifestOf('purser').includes('secret'))
    }
  })

  it('is required to publish', () => {
    execFileSync('git', ['-C', clone, 'remote', 'set-url', 'origin', join(tmpdir(), 'a-folder')])
    const before = manifestOf('purser')
    const { status, stderr } = run()
    assert.equal(status, 1)
    assert.match(stderr, /set the remote 'origin'/)
    assert.equal(manifestOf('purser'), before)
  })
})
