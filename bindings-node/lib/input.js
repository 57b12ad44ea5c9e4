'use strict';

// Checks the arguments of a create (parts, messages and the rest) and writes them as JSON for the native module.

const {
  InvalidRequestError,
  amount,
  bytes,
  flag,
  integer,
  kindOf,
  object,
  text: string,
  unknownOption,
  wrong,
} = require('./check.js');

/** The URL that stands for a source in the JSON, followed by its number. `src/request.rs` replaces it with the
 * content. */
const PLACEHOLDER = 'pipevideo-source:';

/** A part with content from a file or from bytes. It is read when the request is sent, off the event
 * loop. Its source is private, so that a part parsed from foreign JSON can never read a file. */
class SourcePart {
  #source;

  constructor(type, source, detail) {
    this.type = type;
    if (detail !== undefined) this.detail = detail;
    this.#source = source;
    Object.freeze(this);
  }

  /** Returns the part as JSON with a placeholder for its content, and adds the content to `sources`. */
  static placeholder(part, sources) {
    const url = `${PLACEHOLDER}${sources.push(part.#source) - 1}`;
    if (part.type === 'input_video') return { type: part.type, video_url: { url } };
    return { type: part.type, image_url: { url, detail: part.detail } };
  }
}

/** Makes a text part. */
function text(value) {
  return { type: 'input_text', text: string('text', value) };
}

/** Makes an image part from an HTTPS or data URL, a path, or bytes. */
function image(value, options) {
  let detail;
  if (options !== undefined && options !== null) {
    for (const name of Object.keys(object('options', options))) {
      if (name !== 'detail') throw new TypeError(`unknown option '${name}'; the only option is detail`);
    }
    if (options.detail !== undefined && options.detail !== null) detail = detailOf(options.detail);
  }
  const source = media('image', value);
  if (source.url === undefined) return new SourcePart('input_image', source.content, detail);
  const image_url = detail === undefined ? { url: source.url } : { url: source.url, detail };
  return { type: 'input_image', image_url };
}

const DETAILS = ['auto', 'low', 'high', 'original'];

function detailOf(value) {
  if (DETAILS.includes(string('detail', value))) return value;
  throw new InvalidRequestError(`detail must be one of ${DETAILS.join(', ')}.`);
}

/** Makes a video part from an HTTPS or data URL, a path, or bytes. */
function video(value) {
  const source = media('video', value);
  if (source.url === undefined) return new SourcePart('input_video', source.content);
  return { type: 'input_video', video_url: { url: source.url } };
}

function media(name, value) {
  if (value instanceof URL) {
    return value.protocol === 'file:'
      ? { content: require('node:url').fileURLToPath(value) }
      : { url: value.href };
  }
  if (typeof value === 'string') {
    const isUrl = value.includes('://') || /^data:/i.test(value);
    return isUrl ? { url: value } : { content: value };
  }
  const content = bytes(value);
  if (content !== undefined) return { content };
  throw wrong(name, 'a URL, a path or bytes', value);
}

/** The check of each argument of `create`. */
const FIELDS = {
  // generated: create arguments (by `cargo xtask generate`, from conformance/surface.json)
  model: string,
  input: (_, value) => value,
  instructions: string,
  width: integer,
  height: integer,
  aspectRatio: string,
  provider,
  engine: string,
  expandPrompt: flag,
  maxCostUsd: amount,
  extraBody: object,
  // end of generated
};

function provider(name, value) {
  if (typeof value !== 'object' || value === null)
    throw wrong(name, 'an array of slugs, or an object', value);
  for (const slug of Array.isArray(value) ? value : []) string(name, slug);
  return value;
}

/** Returns the JSON of a create's arguments, and the sources that replace its placeholders. */
function serialize(request) {
  const known = {};
  for (const name of Object.keys(object('request', request))) {
    if (!Object.hasOwn(FIELDS, name)) {
      const more = '. Fields that this version does not have go into extraBody';
      throw unknownOption(name, Object.keys(FIELDS), more);
    }
    const value = request[name];
    if (value !== undefined && value !== null) known[name] = FIELDS[name](name, value);
  }
  const sources = [];
  const json = JSON.stringify({
    request: {
      model: string('model', known.model),
      input: input(known.input, sources),
      // generated: create request (by `cargo xtask generate`, from conformance/surface.json)
      instructions: known.instructions,
      width: known.width,
      height: known.height,
      aspectRatio: known.aspectRatio,
      provider: known.provider,
      engine: known.engine,
      expand_prompt: known.expandPrompt,
      // end of generated
    },
    maxCostUsd: known.maxCostUsd,
    extra: known.extraBody ?? {},
  });
  return { json: wellFormed(json), sources };
}

/** A string, one part, parts, or messages. */
function input(value, sources) {
  if (typeof value === 'string') return string('input', value);
  const entries = Array.isArray(value) ? value : [value];
  if (
    typeof value !== 'object' ||
    value === null ||
    entries.some((entry) => typeof entry !== 'object' || entry === null)
  ) {
    const found = Array.isArray(value)
      ? entries.find((entry) => typeof entry !== 'object' || entry === null)
      : value;
    throw wrong('input', 'a string, parts (text(…), image(…), video(…)), or messages', found);
  }
  const messages = entries.filter((entry) => 'role' in entry).length;
  if (messages === 0) return entries.map((entry) => part(entry, sources));
  if (messages < entries.length) {
    throw new TypeError("option 'input' must be parts or messages, not both in one array");
  }
  return entries.map((entry) => ({ ...entry, content: content(entry.content, sources) }));
}

function content(value, sources) {
  if (typeof value === 'string') return [text(value)];
  const parts = Array.isArray(value) ? value : [value];
  return parts.map((one) => {
    if (typeof one !== 'object' || one === null) {
      throw new TypeError(
        `option 'input': a message's content must be a string or parts, not ${kindOf(one)}`,
      );
    }
    return part(one, sources);
  });
}

function part(value, sources) {
  if (value instanceof SourcePart) return SourcePart.placeholder(value, sources);
  if (typeof value.type !== 'string') {
    throw new TypeError(`option 'input': a part's type must be a string, not ${kindOf(value.type)}`);
  }
  const missing = Object.hasOwn(KNOWN, value.type) && KNOWN[value.type](value);
  if (missing) throw new TypeError(`option 'input': a part of type ${value.type} needs ${missing}`);
  return value;
}

const COPIED =
  '. A part that image(…) or video(…) made from a file or bytes loses its content when it is copied, spread or ' +
  'written as JSON: pass the part itself';

/** Returns what a part of a known type lacks, or false. */
const KNOWN = {
  input_text: ({ text }) => typeof text !== 'string' && `a text that is a string, not ${kindOf(text)}`,
  input_image: ({ image_url }) => typeof image_url?.url !== 'string' && `an image_url with a url${COPIED}`,
  input_video: ({ video_url }) => typeof video_url?.url !== 'string' && `a video_url with a url${COPIED}`,
};

/** Replaces lone surrogates, left by cutting a string, with U+FFFD: serde_json rejects them. */
function wellFormed(json) {
  // JSON.stringify escapes only lone surrogates in this way. The pattern matches an escaped backslash first, so
  // that a literal backslash followed by "ud83d" in the text stays as it is.
  return json.replace(/\\(?:\\|ud[89a-f][0-9a-f]{2})/g, (found) => (found === '\\\\' ? found : '\ufffd'));
}

module.exports = { image, serialize, text, video };
