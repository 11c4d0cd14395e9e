import { defineConfig, type UserConfig } from 'vite'

/**
 * The page is a handful of static files that work under any mount prefix: every address in them is relative, there is
 * nothing inline (the server's Content-Security-Policy allows none), and no request leaves the origin.
 * React's names resolve to Preact's compat layer; taking the aliases away and installing React is the whole way back.
 */
const config: UserConfig = defineConfig({
  base: './',
  resolve: {
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
    reportCompressedSize: true,
    // Vendors mark their files for server components ("use client"), which mean nothing here.
    rolldownOptions: {
      onwarn: (warning, warn) => (warning.code === 'MODULE_LEVEL_DIRECTIVE' ? undefined : warn(warning)),
    },
  },
})

export default config
