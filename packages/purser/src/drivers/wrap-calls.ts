type Call = (...args: never[]) => Promise<unknown>
/** An object whose members are all asynchronous functions. */
export type Calls<Part> = { readonly [Name in keyof Part]: Call }

/** The same calls, each as `wrap` returns it. */
export function wrapCalls<Part extends Calls<Part>>(part: Part, wrap: (call: Call, name: keyof Part) => Call): Part {
  const names = Object.keys(part) as (keyof Part)[]
  return Object.fromEntries(names.map((name) => [name, wrap(part[name], name)])) as Part
}
