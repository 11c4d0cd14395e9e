/** The one thing the Deck takes from `react-dom`; the bundler fills it with Preact's. */
declare module 'react-dom/client' {
  import type { ReactNode } from 'react'
  export function createRoot(container: Element): { render(node: ReactNode): void }
}
