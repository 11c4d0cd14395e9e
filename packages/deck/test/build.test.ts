import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { ensureBuilt } from './support/build-deck.ts'

const DIST = join(import.meta.dirname, '../dist')
const ENTRY_MAX_BYTES = 90_000
const FIRST_LOAD_MAX_BYTES = 120_000
const CHUNK_MAX_BYTES = 60_000

describe('the built page', () => {
  let html = ''
  let textFiles: string[] = []

  before(async () => {
    await ensureBuilt()
    html = await readFile(join(DIST, 'index.html'), 'utf8')
    textFiles = (await readdir(DIST, { recursive: true })).filter((name) => /\.(?:js|css|html|svg)$/.test(name))
  })

  const compressedSizeOf = async (name: string): Promise<number> =>
    gzipSync(await readFile(join(DIST, name)), { level: 9 }).length

  it('has at most 90 kB in the entry script, 120 kB in the first load and 60 kB in a later file, with gzip', async () => {
    const references = [...html.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, name]) => name ?? '')
    const scripts = references.filter((name) => name.endsWith('.js'))
    assert.equal(scripts.length, 1)
    assert.ok((await compressedSizeOf(scripts[0] ?? '')) <= ENTRY_MAX_BYTES)
    const sizes = await Promise.all(['index.html', ...references].map(compressedSizeOf))
    assert.ok(sizes.reduce((sum, size) => sum + size, 0) <= FIRST_LOAD_MAX_BYTES)
    const later = textFiles.filter((name) => /\.(?:js|css)$/.test(name) && !references.includes(name))
    assert.ok(later.length > 0)
    for (const name of later) assert.ok((await compressedSizeOf(name)) <= CHUNK_MAX_BYTES, name)
  })

  it('has only relative addresses and nothing inline, for any prefix and the strictest policy', () => {
    const references = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, reference]) => reference)
    assert.ok(references.length >= 3)
    for (const reference of references) assert.match(reference ?? '', /^\.\//)
    assert.doesNotMatch(html, /<style|style=|<script(?![^>]*\bsrc=)|\bon\w+=/)
  })

  it('contains no origin except those of XML namespaces', async () => {
    const origins = new Set<string>()
    for (const name of textFiles) {
      const text = await readFile(join(DIST, name), 'utf8')
      for (const [origin] of text.matchAll(/https?:\/\/[\w.-]+/g)) origins.add(origin)
    }
    origins.delete('http://www.w3.org')
    assert.deepEqual([...origins], [])
  })

  it('is precompressed (br, gzip)', async () => {
    const files = await readdir(DIST, { recursive: true })
    for (const name of textFiles) assert.ok(files.includes(`${name}.br`) && files.includes(`${name}.gz`), name)
  })
})
