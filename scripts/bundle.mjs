// `node scripts/bundle.mjs FOLDER`: the server as one program, FOLDER/main.js, with the packages that it needs. A program
// of many small modules takes twice as long to start and a third more memory. Packages that a user installs beside it for
// a store, a provider or MCP servers are not part of it, nor are those that few servers load.

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown } from 'rolldown'

const root = join(import.meta.dirname, '..')
const folder = process.argv[2]
const threads = join(root, 'packages', 'purser', 'src', 'drivers', 'sqlite', 'worker')
const { peerDependencies } = JSON.parse(readFileSync(join(root, 'packages', 'server', 'package.json'), 'utf8'))

/** Loaded by a request that needs them. */
const rarelyLoaded = [
  '@fastify/ajv-compiler',
  '@fastify/fast-json-stringify-compiler',
  'light-my-request',
  'prom-client',
]

const bundle = await rolldown({
  input: {
    main: join(root, 'packages', 'server', 'src', 'main.ts'),
    'writer.entry': join(threads, 'writer.entry.ts'),
    'cache-writer.entry': join(threads, 'cache-writer.entry.ts'),
    'reader.entry': join(threads, 'reader.entry.ts'),
  },
  platform: 'node',
  resolve: { conditionNames: ['@purser/source', 'node', 'import', 'require', 'default'] },
  external: [...Object.keys(peerDependencies), ...rarelyLoaded].map((name) => new RegExp(`^${name}($|/)`)),
})

// Written last: tells `setup.mjs` that the program is complete.
const licenses = join(folder, 'chunks', 'LICENSES.txt')
rmSync(join(folder, 'chunks'), { recursive: true, force: true })
const { output } = await bundle.write({
  dir: folder,
  format: 'esm',
  // What is found by a path relative to a module is as far from these files as from the sources.
  entryFileNames: ({ name }) => (name === 'main' ? 'main.js' : 'chunks/[name].js'),
  chunkFileNames: 'chunks/[name].js',
  // A text that has other characters takes twice the memory.
  charset: 'ascii',
  comments: false,
})
writeFileSync(licenses, licensesOf(output.flatMap(({ moduleIds = [] }) => moduleIds)))

/** What the licenses of the packages ask for: that their text goes with the code. */
function licensesOf(moduleIds) {
  const packages = moduleIds.map((id) => /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(id)?.[0])
  return [...new Set(packages.filter(Boolean))].sort().map(licenseOf).join('\n\n')
}

function licenseOf(path) {
  const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'))
  const file = readdirSync(path).find((entry) => /^license/i.test(entry))
  const text = file === undefined ? '' : readFileSync(join(path, file), 'utf8').trim()
  return `${name} ${version}, ${license}\n\n${text}`
}
