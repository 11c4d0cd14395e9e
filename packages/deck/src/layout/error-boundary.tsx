import { Component, type ReactNode } from 'react'
import { ErrorMessage } from '../components/error-message.tsx'

interface ErrorBoundaryProps {
  /** The error is cleared when the path changes. */
  readonly path: string
  readonly children: ReactNode
}

interface ErrorBoundaryState {
  readonly error: unknown
  readonly path: string
}

/** Shows an error that a page throws while rendering, so that the navigation keeps working. */
export class ErrorBoundary extends Component<ErrorBoundaryProps, ErrorBoundaryState> {
  override state: ErrorBoundaryState = { error: undefined, path: this.props.path }

  static getDerivedStateFromError(error: unknown): Pick<ErrorBoundaryState, 'error'> {
    return { error }
  }

  static getDerivedStateFromProps({ path }: ErrorBoundaryProps, state: ErrorBoundaryState): ErrorBoundaryState {
    return state.path === path ? state : { error: undefined, path }
  }

  override render(): ReactNode {
    if (this.state.error === undefined) return this.props.children
    return <ErrorMessage error={this.state.error} retry={() => this.setState({ error: undefined })} />
  }
}
