import type { ChatChunk } from 'purser'

type Choice = ChatChunk['choices'][number]

/** The one choice of an answer that other formats have: the first one that arrives, for some providers count from one. */
export class FirstChoice {
  #index: number | undefined

  find({ choices }: ChatChunk): Choice | undefined {
    const [first] = choices ?? []
    if (first === undefined) return undefined
    this.#index ??= Math.min(...choices.map(({ index }) => index ?? 0))
    return choices.find(({ index }) => (index ?? 0) === this.#index)
  }
}
