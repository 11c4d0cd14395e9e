import { Component, type ReactNode } from 'react'
import { Failure } from '../components/states.tsx'

/** Catches what a page throws while it is drawn, so that the way to the other pages stays open. */
export class Boundary extends Component<{ place: string; children: ReactNode }, { error: unknown; place: string }> {
  override state: { error: unknown; place: string } = { error: undefined, place: this.props.place }

  static getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error }
  }

  /** Another page gets another chance. */
  static getDerivedStateFromProps(
    { place }: { place: string },
    state: { error: unknown; place: string },
  ): { error: unknown; place: string } {
    return state.place === place ? state : { error: undefined, place }
  }

  override render(): ReactNode {
    if (this.state.error === undefined) return this.props.children
    return <Failure error={this.state.error} retry={() => this.setState({ error: undefined })} />
  }
}
