import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { PROGRAMS } from '../bench/all/programs.ts'
import { ROOT } from './support/pages.ts'

/* What the benchmarks need of the source. They are not run here: their packages are installed in `bench/` only. */

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

test('benchmarks import what the packages export', async () => {
  const missing: string[] = []
  for (const file of globSync('bench/**/*.ts', { cwd: ROOT }).filter((path) => !path.includes('node_modules'))) {
    for (const [, names = '', path = ''] of read(file).matchAll(
      /^import \{([^}]+)\} from '([^']*\/packages\/[^']+)'/gm,
    )) {
      const exported = Object.keys(await import(resolve(ROOT, file, '..', path)))
      const values = names.split(',').map((name) => name.trim().replace(/ as .*/, ''))
      for (const name of values.filter((value) => value !== '' && !value.startsWith('type ')))
        if (!exported.includes(name)) missing.push(`${file}: ${name} of ${path}`)
    }
  }
  assert.deepEqual(missing, [])
})

test('one command runs every program that compares something', () => {
  const { scripts } = JSON.parse(read('bench/package.json')) as { scripts: Record<string, string> }
  // `postgres` needs the URL of a server.
  const listed = Object.keys(scripts).filter((name) => !['all', 'postgres'].includes(name))
  assert.deepEqual(PROGRAMS.map(({ name }) => name).toSorted(), listed.toSorted())
  for (const { file } of PROGRAMS) assert.ok(existsSync(join(ROOT, 'bench', file)), file)
  const named = globSync('bench/*.ts', { cwd: ROOT }).map((path) => path.slice('bench/'.length, -'.ts'.length))
  assert.deepEqual(named.toSorted(), Object.keys(scripts).toSorted())
})
