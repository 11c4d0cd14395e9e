import './panel-toolbar.css'
import type { ReactElement, ReactNode } from 'react'

/** The controls at the top of a tab panel. */
export function PanelToolbar({ children }: { children: ReactNode }): ReactElement {
  return <div className="panel-toolbar">{children}</div>
}
