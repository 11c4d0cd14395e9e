import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { noBrowser } from './support/browser.ts'
import { buildWithReact } from './support/build-deck.ts'

const DIST = join(import.meta.dirname, '../dist-react')
const isFull = process.env.PURSER_TEST_FULL === '1'

/** The suites that run with React as well: all of them in full, otherwise the one on a real server with all dialogs. */
const SUITES = isFull
  ? globSync('*.test.ts', { cwd: import.meta.dirname }).filter((name) => !/^(?:react|build)\.test\.ts$/.test(name))
  : ['screens.test.ts']

// With React the files of this build are tested, not this one again.
const isNested = process.env.PURSER_DECK_BUILD === 'react'

describe('the page with React instead of Preact', { skip: noBrowser || isNested }, () => {
  before(buildWithReact)

  it('is built with React', async () => {
    const names = (await readdir(join(DIST, 'assets'))).filter((name) => /^index-.*\.js$/.test(name))
    assert.equal(names.length, 1)
    const text = await readFile(join(DIST, 'assets', names[0] ?? ''), 'utf8')
    assert.match(text, /react\.transitional\.element/)
  })

  for (const name of SUITES) {
    it(`passes ${name}`, async () => {
      const { NODE_TEST_CONTEXT: _, ...environment } = process.env
      const child = spawn(
        process.execPath,
        ['--conditions=@purser/source', '--test', join(import.meta.dirname, name)],
        {
          env: { ...environment, PURSER_DECK_BUILD: 'react' },
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      )
      let output = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (output += part))
      const [code] = await once(child, 'close')
      assert.equal(code, 0, output)
      assert.match(output, /pass [1-9]/)
    })
  }
})
