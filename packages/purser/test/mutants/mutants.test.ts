import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { findPackageJSON } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { proving } from '../support/fuzz-options.ts'
import { PLANTED, type Planted } from './ledger.ts'

const HERE = dirname(dirname(import.meta.dirname))

describe('planted bugs', () => {
  let copy = ''
  before(async () => {
    copy = await mkdtemp(join(tmpdir(), 'purser-planted-'))
    for (const part of ['src', 'test', 'package.json'])
      await cp(join(HERE, part), join(copy, part), { recursive: true })
    const modules = dirname(dirname(findPackageJSON('fast-check', import.meta.url) as string))
    await symlink(modules, join(copy, 'node_modules'))
  })
  after(() => rm(copy, { recursive: true, force: true }))

  it('are at least fifteen, and each has its one place in the source', async () => {
    assert.ok(PLANTED.length >= 15)
    for (const planted of PLANTED) await changed(planted)
  })

  it('are what makes the tests fail: the copy without one passes', async () => {
    assert.equal(await passes(copy, ['ledger/admission.test.ts', 'ledger/tampering.test.ts']), true)
  })

  for (const planted of PLANTED.filter(({ always }) => proving || always)) {
    it(`${planted.name}: found by ${planted.tests.join(', ')}`, async () => {
      const path = join(copy, 'src', planted.file)
      const honest = await readFile(path, 'utf8')
      await writeFile(path, await changed(planted))
      try {
        assert.equal(await passes(copy, planted.tests), false, 'No test noticed.')
      } finally {
        await writeFile(path, honest)
      }
    })
  }
})

/** The source with the bug in it. */
async function changed({ file, find, replace, name }: Planted): Promise<string> {
  const source = await readFile(join(HERE, 'src', file), 'utf8')
  assert.equal(source.split(find).length, 2, `'${name}' has no single place in ${file} any more.`)
  return source.replace(find, () => replace)
}

/** A bug may also hang a test: one that has not ended by then counts as failed. */
const PATIENCE_MS = 120_000

function passes(copy: string, tests: readonly string[]): Promise<boolean> {
  const { NODE_TEST_CONTEXT: _, PURSER_TEST_FULL: __, ...env } = process.env
  const files = tests.map((test) => join(copy, 'test', test))
  const child = spawn(process.execPath, ['--conditions=@purser/source', '--test', ...files], {
    cwd: copy,
    env,
    stdio: 'ignore',
    timeout: PATIENCE_MS,
  })
  return new Promise((resolve, reject) => child.once('error', reject).once('exit', (code) => resolve(code === 0)))
}
