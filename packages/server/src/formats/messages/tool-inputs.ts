import { isLargeJson, writeJsonTexts } from 'purser/internal'

interface CallDefinition {
  readonly name: string
  arguments: string
}

/** Characters that are written at once. */
const AT_ONCE_CHARACTERS = 65_536

/** The inputs of the calls of a request, which chat completions have as JSON text. Much of it is written in steps. */
export class ToolInputs {
  readonly #late: { readonly definition: CallDefinition; readonly input: unknown }[] = []
  #characters = 0

  /** The function of a call; it is complete after `write`. */
  define(name: string, input: unknown): CallDefinition {
    const definition: CallDefinition = { name, arguments: '' }
    if (this.#characters > AT_ONCE_CHARACTERS || isLargeJson(input)) this.#late.push({ definition, input })
    else {
      definition.arguments = JSON.stringify(input)
      this.#characters += definition.arguments.length
    }
    return definition
  }

  async write(): Promise<void> {
    const texts = await writeJsonTexts(this.#late.map(({ input }) => input))
    for (const [index, { definition }] of this.#late.entries()) definition.arguments = texts[index] ?? ''
  }
}
