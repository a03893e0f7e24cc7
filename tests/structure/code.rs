//! A file's code without comments and strings, as words and paths.

/// A word or a sign.
#[derive(Debug)]
pub struct Token {
    pub line: usize,
    pub text: String,
}

/// A path as `use` or an expression names it, braces written out.
#[derive(Debug)]
pub struct Path {
    pub line: usize,
    pub segments: Vec<String>,
    /// The modules of this file that it stands in.
    pub inside: Vec<String>,
}

#[derive(Debug)]
pub struct Code {
    pub tokens: Vec<Token>,
    pub paths: Vec<Path>,
}

impl Code {
    pub fn read(text: &str) -> Self {
        let tokens = tokens(text);
        let paths = Paths { tokens: &tokens, at: 0, inside: Vec::new(), found: Vec::new() }.all();
        Self { tokens, paths }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut at, mut line, mut tokens) = (0, 1, Vec::new());
    while at < chars.len() {
        let end = token_end(&chars, at);
        let text: String = chars[at..end].iter().collect();
        let counts = is_word(chars[at]) && !text.contains(['"', '#'])
            || matches!(&*text, "::" | "{" | "}" | "," | ";" | "*" | ".");
        if counts {
            tokens.push(Token { line, text: text.clone() });
        }
        line += text.matches('\n').count();
        at = end;
    }
    tokens
}

/// Where what starts at `at` ends: a comment, a literal, a word, `::`, or one sign.
fn token_end(chars: &[char], at: usize) -> usize {
    let (rest, starts) =
        (&chars[at..], |sign: &str| sign.chars().eq(chars[at..].iter().copied().take(sign.len())));
    if starts("//") {
        return at + rest.iter().position(|&c| c == '\n').unwrap_or(rest.len());
    }
    if starts("/*") {
        return comment_end(chars, at);
    }
    if rest[0] == '"' {
        return string_end(chars, at + 1);
    }
    if rest[0] == '\'' {
        return match rest {
            [_, '\\', _, ..] => at + 3 + rest[3..].iter().position(|&c| c == '\'').map_or(0, |end| end + 1),
            [_, _, '\'', ..] => at + 3,
            _ => at + 1, // a lifetime
        };
    }
    if is_word(rest[0]) {
        let end = at + rest.iter().position(|&c| !is_word(c)).unwrap_or(rest.len());
        let prefix: String = chars[at..end].iter().collect();
        return match (&*prefix, chars.get(end)) {
            ("b" | "c", Some('"')) => string_end(chars, end + 1),
            ("b", Some('\'')) => token_end(chars, end),
            ("r" | "br" | "cr", Some('"' | '#')) => raw_end(chars, end),
            _ => end,
        };
    }
    if starts("::") { at + 2 } else { at + 1 }
}

fn comment_end(chars: &[char], at: usize) -> usize {
    let (mut depth, mut at) = (0, at);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn string_end(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// Of `#"..."#`, or of a raw word.
fn raw_end(chars: &[char], at: usize) -> usize {
    let hashes = chars[at..].iter().take_while(|&&c| c == '#').count();
    let start = at + hashes;
    if chars.get(start) != Some(&'"') {
        return start + chars[start..].iter().position(|&c| !is_word(c)).unwrap_or(chars.len() - start);
    }
    let ends = |&end: &usize| {
        chars[end] == '"' && chars[end + 1..].iter().take_while(|&&c| c == '#').count() >= hashes
    };
    (start + 1..chars.len()).find(ends).map_or(chars.len(), |end| end + 1 + hashes)
}

struct Paths<'t> {
    tokens: &'t [Token],
    at: usize,
    /// Open braces: the module's name, or none.
    inside: Vec<Option<String>>,
    found: Vec<Path>,
}

impl Paths<'_> {
    fn all(mut self) -> Vec<Path> {
        while self.at < self.tokens.len() {
            match self.text(0) {
                "mod" if self.text(2) == "{" => {
                    self.inside.push(Some(self.text(1).to_string()));
                    self.at += 3;
                }
                "{" => {
                    self.inside.push(None);
                    self.at += 1;
                }
                "}" => {
                    self.inside.pop();
                    self.at += 1;
                }
                // A method, though it looks like a path: `x.parse::<u8>()`.
                "." => self.at += 2,
                // Who may see a thing, not what is seen: `pub(in crate::gc)`.
                "pub" if self.text(1) == "in" => {
                    self.at += 3;
                    while self.text(0) == "::" {
                        self.at += 2;
                    }
                }
                "use" => {
                    self.at += 1;
                    self.tree(&mut Vec::new());
                }
                word if is_word(word.chars().next().unwrap_or(' ')) && self.text(1) == "::" => {
                    self.tree(&mut Vec::new())
                }
                _ => self.at += 1,
            }
        }
        self.found
    }

    fn text(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| &token.text)
    }

    /// A path, or the branches of one, from here on.
    fn tree(&mut self, prefix: &mut Vec<String>) {
        let depth = prefix.len();
        if self.text(0) == "::" {
            self.at += 1;
        }
        loop {
            match self.text(0) {
                "{" => {
                    self.branches(prefix);
                    break;
                }
                "" | "}" | "," | ";" => {
                    self.find(prefix);
                    break;
                }
                segment => {
                    prefix.push(segment.to_string());
                    self.at += 1;
                    if self.text(0) == "::" {
                        self.at += 1;
                    } else {
                        self.find(prefix);
                        break;
                    }
                }
            }
        }
        prefix.truncate(depth);
    }

    fn branches(&mut self, prefix: &mut Vec<String>) {
        self.at += 1;
        while !matches!(self.text(0), "" | "}") {
            match self.text(0) {
                "," => self.at += 1,
                "as" => self.at += 2,
                _ => self.tree(prefix),
            }
        }
        self.at += 1;
    }

    fn find(&mut self, segments: &[String]) {
        let line = self.tokens[self.at.max(1) - 1].line;
        let inside = self.inside.iter().flatten().cloned().collect();
        self.found.push(Path { line, segments: segments.to_vec(), inside });
    }
}
