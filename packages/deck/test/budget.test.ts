import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { ensureBuilt } from './browser/purser.ts'

const DIST = join(import.meta.dirname, '../dist')
const ENTRY_MAX_BYTES = 90_000
const FIRST_LOAD_MAX_BYTES = 150_000

describe('the built page', () => {
  let html = ''
  let files: string[] = []

  before(async () => {
    await ensureBuilt()
    html = await readFile(join(DIST, 'index.html'), 'utf8')
    files = (await readdir(DIST, { recursive: true })).filter((name) => /\.\w+$/.test(name))
  })

  const weigh = async (name: string): Promise<number> => gzipSync(await readFile(join(DIST, name)), { level: 9 }).length

  it('stays within its budget: 90 kB for the entry, 150 kB for the first load, gzip', async () => {
    const asked = [...html.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, name]) => name ?? '')
    const scripts = asked.filter((name) => name.endsWith('.js'))
    assert.equal(scripts.length, 1)
    assert.ok((await weigh(scripts[0] ?? '')) <= ENTRY_MAX_BYTES)
    const sizes = await Promise.all(['index.html', ...asked].map(weigh))
    assert.ok(sizes.reduce((sum, size) => sum + size, 0) <= FIRST_LOAD_MAX_BYTES)
  })

  it('has only relative addresses and nothing inline, so that any prefix and the strictest policy will do', () => {
    const addresses = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address)
    assert.ok(addresses.length >= 3)
    for (const address of addresses) assert.match(address ?? '', /^\.\//)
    assert.doesNotMatch(html, /<style|style=|<script(?![^>]*\bsrc=)|\bon\w+=/)
  })

  it('names no other origin but the ones that XML needs as names', async () => {
    const named = new Set<string>()
    for (const name of files.filter((one) => /\.(?:js|css|html|svg)$/.test(one))) {
      const text = await readFile(join(DIST, name), 'utf8')
      for (const [address] of text.matchAll(/https?:\/\/[\w.-]+/g)) named.add(address)
    }
    named.delete('http://www.w3.org')
    assert.deepEqual([...named], [])
  })

  it('lies there compressed already', () => {
    for (const name of files.filter((one) => /\.(?:js|css|html|svg)$/.test(one))) {
      assert.ok(files.includes(`${name}.br`) && files.includes(`${name}.gz`), name)
    }
  })
})
