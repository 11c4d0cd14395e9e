import { type FormPart, invalidForm, readForm } from './form-reader.ts'
import { Spool } from './spool.ts'

const FIELD_MAX_BYTES = 65_536
const MAX_FIELDS = 100
/** Fields that identify a user. */
const USER_FIELDS = ['user', 'safety_identifier']

interface Field {
  readonly kind: 'field'
  readonly name: string
  readonly header: string
  readonly text: string
}
interface HeldFile {
  readonly kind: 'file'
  readonly header: string
  readonly spool: Spool
}

/**
 * A form with files on its way to a provider. Files pass as they arrive. One that comes before the model, which decides
 * where the form goes, waits on disk.
 */
export class Upload implements AsyncDisposable {
  readonly #parts: AsyncGenerator<FormPart, void, undefined>
  readonly #boundary: string
  readonly #begun: (Field | HeldFile)[] = []
  /** The file at which reading has stopped. */
  #next: FormPart | undefined
  #fieldCount = 0
  #isSpent = false

  private constructor(parts: AsyncGenerator<FormPart, void, undefined>, boundary: string) {
    this.#parts = parts
    this.#boundary = boundary
  }

  /** Reads a form up to the first file behind its model, or to its end. */
  static async open(
    source: AsyncIterable<Buffer>,
    options: { readonly boundary: string; readonly maxBytes: number },
  ): Promise<Upload> {
    const upload = new Upload(readForm(source, options), options.boundary)
    try {
      await upload.#begin()
      return upload
    } catch (error) {
      await upload[Symbol.asyncDispose]()
      throw error
    }
  }

  /** The texts of the fields so far. */
  get fields(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#begun.flatMap((part) => (part.kind === 'field' ? [[part.name, part.text]] : [])))
  }

  get contentType(): string {
    return `multipart/form-data; boundary="${this.#boundary}"`
  }

  /** Whether the form was read: its parts pass once. */
  get isSpent(): boolean {
    return this.#isSpent
  }

  /** The bytes of the whole form with another model and without fields that identify a user, to be read once. */
  async *encode(model: string | null): AsyncGenerator<Buffer, void, undefined> {
    this.#isSpent = true
    for (const part of this.#begun) {
      if (part.kind === 'field') yield* this.#encodeField(part)
      else yield* this.#encodePart(part.header, part.spool.read())
    }
    if (model !== null) yield* this.#encodeField({ ...MODEL_FIELD, text: model }, true)
    if (this.#next !== undefined) yield* this.#encodePart(this.#next.header, this.#next.bytes)
    for await (const part of this.#parts) {
      if (part.filename !== undefined) yield* this.#encodePart(part.header, part.bytes)
      else yield* this.#encodeField(await this.#readField(part))
    }
    yield Buffer.from(`--${this.#boundary}--\r\n`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of this.#begun) if (part.kind === 'file') await part.spool[Symbol.asyncDispose]()
  }

  async #begin(): Promise<void> {
    let hasModel = false
    for (let next = await this.#parts.next(); next.done !== true; next = await this.#parts.next()) {
      const part = next.value
      if (part.filename === undefined) {
        const field = await this.#readField(part)
        this.#begun.push(field)
        hasModel ||= field.name === 'model'
      } else if (hasModel) {
        this.#next = part
        return
      } else this.#begun.push({ kind: 'file', header: part.header, spool: await Spool.of(part.bytes) })
    }
    if (!this.#begun.some(({ kind }) => kind === 'file')) throw invalidForm('The form has no file.')
  }

  async #readField({ name, header, bytes }: FormPart): Promise<Field> {
    this.#fieldCount++
    if (this.#fieldCount > MAX_FIELDS) throw invalidForm(`The form has more than ${MAX_FIELDS} fields.`)
    const pieces: Buffer[] = []
    let length = 0
    for await (const piece of bytes) {
      length += piece.length
      if (length > FIELD_MAX_BYTES) throw invalidForm(`A field of the form has more than ${FIELD_MAX_BYTES} bytes.`)
      pieces.push(piece)
    }
    return { kind: 'field', name, header, text: Buffer.concat(pieces).toString() }
  }

  *#encodeField({ name, header, text }: Field, isOwn = false): Generator<Buffer, void, undefined> {
    if (!isOwn && (name === MODEL_FIELD.name || USER_FIELDS.includes(name))) return
    yield Buffer.from(`--${this.#boundary}\r\n${header}\r\n\r\n${text}\r\n`)
  }

  async *#encodePart(header: string, bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    yield Buffer.from(`--${this.#boundary}\r\n${header}\r\n\r\n`)
    yield* bytes
    yield Buffer.from('\r\n')
  }
}

const MODEL_FIELD = {
  kind: 'field',
  name: 'model',
  header: 'content-disposition: form-data; name="model"',
  text: '',
} as const
