import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync, constants as zlib } from 'node:zlib'
import { defaultClientConditions, defineConfig, type Plugin, type UserConfig } from 'vite'

/** Puts a `.br` and a `.gz` beside every text file of the build, so that no server has to compress them again and again. */
function compressed(): Plugin {
  let folder = ''
  return {
    name: 'purser-compressed',
    apply: 'build',
    configResolved(config) {
      folder = join(config.root, config.build.outDir)
    },
    async closeBundle() {
      const names = await readdir(folder, { recursive: true })
      for (const name of names.filter((one) => /\.(?:html|js|css|svg)$/.test(one))) {
        const bytes = await readFile(join(folder, name))
        const quality = { params: { [zlib.BROTLI_PARAM_QUALITY]: zlib.BROTLI_MAX_QUALITY } }
        await writeFile(join(folder, `${name}.br`), brotliCompressSync(bytes, quality))
        await writeFile(join(folder, `${name}.gz`), gzipSync(bytes, { level: 9 }))
      }
    },
  }
}

/**
 * The page is a handful of static files that work under any mount prefix: every address in them is relative, there is
 * nothing inline (the server's Content-Security-Policy allows none), and no request leaves the origin.
 * React's names resolve to Preact's compat layer; taking the aliases away and installing React is the whole way back.
 */
const config: UserConfig = defineConfig({
  base: './',
  plugins: [compressed()],
  resolve: {
    // What the page shares with the library is bundled from its source.
    conditions: ['@purser/source', ...defaultClientConditions],
    alias: {
      react: 'preact/compat',
      'react-dom/client': 'preact/compat/client',
      'react/jsx-runtime': 'preact/jsx-runtime',
    },
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'react' } },
  build: {
    outDir: 'dist',
    target: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // Vendors mark their files for server components ("use client"), which mean nothing here.
    rolldownOptions: {
      onwarn: (warning, warn) => (warning.code === 'MODULE_LEVEL_DIRECTIVE' ? undefined : warn(warning)),
    },
  },
})

export default config
