/** A frame of a server-sent event stream. */
export interface Frame {
  readonly event: string
  readonly id: string | undefined
  readonly data: string
}

/** Cuts a stream of text into frames; comments are skipped. */
export function createFrames(onFrame: (frame: Frame) => void): { push(text: string): void } {
  let rest = ''
  return {
    push(text) {
      const blocks = (rest + text).split(/\r?\n\r?\n/)
      rest = blocks.pop() ?? ''
      for (const block of blocks) {
        const fields = new Map<string, string>()
        for (const line of block.split(/\r?\n/)) {
          const [name, value] = /^(\w+): ?(.*)$/.exec(line)?.slice(1) ?? []
          if (name === undefined || value === undefined) continue
          fields.set(name, fields.has(name) && name === 'data' ? `${fields.get(name)}\n${value}` : value)
        }
        const data = fields.get('data')
        if (data !== undefined) onFrame({ event: fields.get('event') ?? 'message', id: fields.get('id'), data })
      }
    },
  }
}
