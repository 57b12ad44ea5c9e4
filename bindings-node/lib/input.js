'use strict';

// A request's arguments: parts, messages, and the rest, as JSON for the native module.

const { InvalidRequestError, bytes, flag, integer, kindOf, object, text: string, wrong } = require('./check.js');

/** What `src/request.rs` puts the content in for. */
const PLACE = 'pipevideo-source:';

/** A part whose content is a file's or bytes; it is read when the request is sent, off the event loop. Its
 * source is private, so that no JSON from elsewhere makes a part that reads a file. */
class SourcePart {
  #source;

  constructor(type, source, detail) {
    this.type = type;
    if (detail !== undefined) this.detail = detail;
    this.#source = source;
    Object.freeze(this);
  }

  /** The part as JSON, with a place for its content, which goes to `sources`. */
  static placed(part, sources) {
    const url = `${PLACE}${sources.push(part.#source) - 1}`;
    if (part.type === 'input_video') return { type: part.type, video_url: { url } };
    return { type: part.type, image_url: { url, detail: part.detail } };
  }
}

/** A text. */
function text(value) {
  return { type: 'input_text', text: string('text', value) };
}

/** An image: an HTTPS or data URL, a path, or bytes. */
function image(value, options) {
  let detail;
  if (options !== undefined && options !== null) {
    for (const name of Object.keys(object('options', options))) {
      if (name !== 'detail') throw new TypeError(`there is no option '${name}'; there is detail`);
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

/** A video: an HTTPS or data URL, a path, or bytes. */
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

const FIELDS = {
  model: string,
  input: (_, value) => value,
  instructions: string,
  width: integer,
  height: integer,
  aspectRatio: string,
  provider,
  engine: string,
  expandPrompt: flag,
  extraBody: object,
};

function provider(name, value) {
  if (typeof value !== 'object' || value === null)
    throw wrong(name, 'an array of slugs, or an object', value);
  for (const slug of Array.isArray(value) ? value : []) string(name, slug);
  return value;
}

/** The JSON of a create's arguments, and the sources that are to be put in. */
function request(given) {
  const known = {};
  for (const name of Object.keys(object('request', given))) {
    if (!Object.hasOwn(FIELDS, name)) {
      throw new TypeError(
        `there is no option '${name}'; there are ${Object.keys(FIELDS).join(', ')}. Fields that this ` +
          'library does not know yet go into extraBody',
      );
    }
    const value = given[name];
    if (value !== undefined && value !== null) known[name] = FIELDS[name](name, value);
  }
  const sources = [];
  const json = JSON.stringify({
    request: {
      model: string('model', known.model),
      input: input(known.input, sources),
      instructions: known.instructions,
      width: known.width,
      height: known.height,
      aspectRatio: known.aspectRatio,
      provider: known.provider,
      engine: known.engine,
      expand_prompt: known.expandPrompt,
    },
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
  if (value instanceof SourcePart) return SourcePart.placed(value, sources);
  if (typeof value.type !== 'string') {
    throw new TypeError(`option 'input': a part's type must be a string, not ${kindOf(value.type)}`);
  }
  const lacks = Object.hasOwn(KNOWN, value.type) && KNOWN[value.type](value);
  if (lacks) throw new TypeError(`option 'input': a part of type ${value.type} needs ${lacks}`);
  return value;
}

const COPIED =
  '. What image(…) or video(…) makes of a file or bytes cannot be copied, spread or written as JSON: pass ' +
  'it as it is';

/** What a part of a known type lacks, if it lacks anything. */
const KNOWN = {
  input_text: ({ text }) => typeof text !== 'string' && `a text that is a string, not ${kindOf(text)}`,
  input_image: ({ image_url }) => typeof image_url?.url !== 'string' && `an image_url with a url${COPIED}`,
  input_video: ({ video_url }) => typeof video_url?.url !== 'string' && `a video_url with a url${COPIED}`,
};

/** JSON in which halves of characters, of texts that were cut, are U+FFFD, as in any text that goes out. */
function wellFormed(json) {
  // Of what is escaped in JSON only halves begin so; a backslash that stands for itself is two.
  return json.replace(/\\(?:\\|ud[89a-f][0-9a-f]{2})/g, (found) => (found === '\\\\' ? found : '\ufffd'));
}

module.exports = { image, request, text, video };
