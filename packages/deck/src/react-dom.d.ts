/** Declares the only part of `react-dom` that the Deck uses; the bundler resolves it to Preact. */
declare module 'react-dom/client' {
  import type { ReactNode } from 'react'
  export function createRoot(container: Element): { render(node: ReactNode): void }
}
