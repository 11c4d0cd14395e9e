import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync, constants as zlib } from 'node:zlib'
import { defaultClientConditions, defineConfig, type Plugin, type UserConfigFnObject } from 'vite'
import { mockApiPlugin } from './test/mock/dev-server.ts'

/** Writes a `.br` and a `.gz` file beside every text file of the build, so that the server does not compress them. */
function precompressPlugin(): Plugin {
  let directory = ''
  return {
    name: 'purser-precompress',
    apply: 'build',
    configResolved(config) {
      directory = join(config.root, config.build.outDir)
    },
    async closeBundle() {
      const names = await readdir(directory, { recursive: true })
      for (const name of names.filter((path) => /\.(?:html|js|css|svg)$/.test(path))) {
        const bytes = await readFile(join(directory, name))
        const quality = { params: { [zlib.BROTLI_PARAM_QUALITY]: zlib.BROTLI_MAX_QUALITY } }
        await writeFile(join(directory, `${name}.br`), brotliCompressSync(bytes, quality))
        await writeFile(join(directory, `${name}.gz`), gzipSync(bytes, { level: 9 }))
      }
    },
  }
}

/**
 * The build is static files that work under any prefix: every address is relative, nothing is inline (the server's
 * Content-Security-Policy forbids it), and no request leaves the origin. The dev server uses the mock API, or the server
 * that `PURSER_DEV_API` names.
 *
 * React's names resolve to Preact's compat layer. The mode `react` leaves the names as they are and builds `dist-react`,
 * with which the tests run as well: so Preact can be replaced at any time.
 */
const devApi = process.env.PURSER_DEV_API

const PREACT = {
  react: 'preact/compat',
  'react-dom/client': 'preact/compat/client',
  'react-dom': 'preact/compat',
  'react/jsx-runtime': 'preact/jsx-runtime',
}

const config: UserConfigFnObject = defineConfig(({ mode }) => ({
  base: './',
  plugins: [precompressPlugin(), ...(devApi === undefined ? [mockApiPlugin()] : [])],
  server: devApi === undefined ? {} : { proxy: { '/api': devApi, '/deck': devApi } },
  resolve: {
    // Modules of the library are bundled from their source.
    conditions: ['@purser/source', ...defaultClientConditions],
    alias: mode === 'react' ? {} : PREACT,
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'react' } },
  build: {
    outDir: mode === 'react' ? 'dist-react' : 'dist',
    target: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // Packages mark their files for server components ("use client"), which has no meaning here.
    rolldownOptions: {
      onwarn: (warning, warn) => (warning.code === 'MODULE_LEVEL_DIRECTIVE' ? undefined : warn(warning)),
    },
  },
}))

export default config
