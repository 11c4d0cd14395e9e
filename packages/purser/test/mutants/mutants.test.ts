import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { findPackageJSON } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { isFullRun } from '../support/fuzz-options.ts'
import { MUTANTS, type Mutant } from './ledger.ts'

const PACKAGE = dirname(dirname(import.meta.dirname))

describe('mutants', () => {
  let copy = ''
  before(async () => {
    copy = await mkdtemp(join(tmpdir(), 'purser-mutants-'))
    for (const part of ['src', 'test', 'package.json'])
      await cp(join(PACKAGE, part), join(copy, part), { recursive: true })
    const modules = dirname(dirname(findPackageJSON('fast-check', import.meta.url) as string))
    await symlink(modules, join(copy, 'node_modules'))
  })
  after(() => rm(copy, { recursive: true, force: true }))

  it('are at least 15, and each `find` matches exactly once', async () => {
    assert.ok(MUTANTS.length >= 15)
    for (const mutant of MUTANTS) await mutate(mutant)
  })

  it('are what makes the tests fail: the unchanged copy passes', async () => {
    const tests = MUTANTS.filter(({ always }) => always).flatMap((mutant) => mutant.tests)
    assert.equal(await passes(copy, [...new Set(tests)]), true)
  })

  for (const mutant of MUTANTS.filter(({ always }) => isFullRun || always)) {
    it(`${mutant.name}: found by ${mutant.tests.join(', ')}`, async () => {
      const path = join(copy, 'src', mutant.file)
      const original = await readFile(path, 'utf8')
      await writeFile(path, await mutate(mutant))
      try {
        assert.equal(await passes(copy, mutant.tests), false, 'No test failed.')
      } finally {
        await writeFile(path, original)
      }
    })
  }
})

/** The mutated source. */
async function mutate({ file, find, replace, name }: Mutant): Promise<string> {
  const source = await readFile(join(PACKAGE, 'src', file), 'utf8')
  assert.equal(source.split(find).length, 2, `'${name}' does not match ${file} exactly once.`)
  return source.replace(find, () => replace)
}

/** A mutant may make a test hang; after this time it counts as failed. */
const TEST_TIMEOUT_MS = 120_000

function passes(copy: string, tests: readonly string[]): Promise<boolean> {
  const { NODE_TEST_CONTEXT: _, PURSER_TEST_FULL: __, ...env } = process.env
  const files = tests.map((test) => join(copy, 'test', test))
  const child = spawn(process.execPath, ['--conditions=@purser/source', '--test', ...files], {
    cwd: copy,
    env,
    stdio: 'ignore',
    timeout: TEST_TIMEOUT_MS,
  })
  return new Promise((resolve, reject) => child.once('error', reject).once('exit', (code) => resolve(code === 0)))
}
