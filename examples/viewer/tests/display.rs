//! A virtual display: its pixels, a mouse and a keyboard.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ConnectionExt as _, InputFocus, KEY_PRESS_EVENT,
    KEY_RELEASE_EVENT, MOTION_NOTIFY_EVENT,
};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

use crate::support::environment::skipped;

/// A virtual display whose pixels are in a file.
pub struct Display {
    server: Child,
    pub name: String,
    screen: PathBuf,
    size: [usize; 2],
}

impl Display {
    /// `None`, with a line that says so, where Xvfb is not installed.
    pub fn open(folder: &Path, size: [usize; 2]) -> Option<Self> {
        let mut command = Command::new("Xvfb");
        let screen = format!("{}x{}x24", size[0], size[1]);
        command.args(["-displayfd", "1", "-screen", "0", &screen, "-fbdir"]);
        command.arg(folder).args(["-nolisten", "tcp"]);
        let started = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut server) = started else {
            skipped("a window on a virtual display", "Xvfb is not installed");
            let required =
                std::env::var_os("VOXLOAD_REQUIRE_GPU").is_some_and(|value| value == "1");
            assert!(!required, "VOXLOAD_REQUIRE_GPU=1: Xvfb is needed");
            return None;
        };
        let mut number = String::new();
        let stdout_pipe = server.stdout.take().expect("a pipe");
        BufReader::new(stdout_pipe)
            .read_line(&mut number)
            .expect("its number");
        Some(Self {
            server,
            name: format!(":{}", number.trim()),
            screen: folder.join("Xvfb_screen0"),
            size,
        })
    }

    /// Waits until the pixels (RGBA) are as wanted. Returns whether they were within a minute.
    pub fn wait_for(&self, wanted: impl Fn(&[u8]) -> bool) -> bool {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) {
            if wanted(&self.pixels()) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        false
    }

    /// A mouse and a keyboard for the only window.
    pub fn input(&self) -> Input {
        let (connection, screen) = x11rb::connect(Some(&self.name)).expect("a display");
        let root = connection.setup().roots[screen].root;
        let windows = connection
            .query_tree(root)
            .expect("sent")
            .reply()
            .expect("windows");
        // Window systems open small windows of their own.
        let is_ours = |&window: &u32| {
            let geometry = connection.get_geometry(window).expect("sent").reply();
            geometry.is_ok_and(|geometry| usize::from(geometry.width) == self.size[0])
        };
        let window = windows
            .children
            .into_iter()
            .find(is_ours)
            .expect("the window");
        connection
            .set_input_focus(InputFocus::POINTER_ROOT, window, x11rb::CURRENT_TIME)
            .expect("sent");
        connection.sync().expect("an answer");
        Input { connection, root }
    }

    /// The file is an XWD: a header of big-endian words, colours, rows of BGRX.
    fn pixels(&self) -> Vec<u8> {
        let file = std::fs::read(&self.screen).expect("the screen");
        let word = |n: usize| {
            let bytes = file[4 * n..4 * n + 4].try_into().expect("four bytes");
            u32::from_be_bytes(bytes) as usize
        };
        let (header, row, colours) = (word(0), word(12), word(19));
        assert_eq!(
            [word(4), word(5), word(11)],
            [self.size[0], self.size[1], 32]
        );
        let rows = file[header + 12 * colours..].chunks_exact(row);
        let pixels = rows.flat_map(|bytes| bytes[..4 * self.size[0]].chunks_exact(4));
        pixels
            .flat_map(|bytes| [bytes[2], bytes[1], bytes[0], 255])
            .collect()
    }
}

pub struct Input {
    connection: RustConnection,
    root: u32,
}

impl Input {
    fn event(&self, kind: u8, detail: u8, [x, y]: [i16; 2]) {
        self.connection
            .xtest_fake_input(kind, detail, x11rb::CURRENT_TIME, self.root, x, y, 0)
            .expect("sent");
        self.connection.sync().expect("an answer");
        // Events that follow too closely may be merged.
        std::thread::sleep(Duration::from_millis(50));
    }

    pub fn press_key(&self, letter: u8) {
        let setup = self.connection.setup();
        let (first, last) = (setup.min_keycode, setup.max_keycode);
        let request = self
            .connection
            .get_keyboard_mapping(first, last - first + 1);
        let keys = request.expect("sent").reply().expect("keys");
        let mut codes = keys.keysyms.chunks(keys.keysyms_per_keycode.into());
        let place = codes.position(|symbols| symbols.contains(&u32::from(letter)));
        let code = first + place.expect("the key is there") as u8;
        self.event(KEY_PRESS_EVENT, code, [0, 0]);
        self.event(KEY_RELEASE_EVENT, code, [0, 0]);
    }

    /// With the left button.
    pub fn drag(&self, from: [i16; 2], to: [i16; 2]) {
        self.event(MOTION_NOTIFY_EVENT, 0, from);
        self.event(BUTTON_PRESS_EVENT, 1, [0, 0]);
        self.event(MOTION_NOTIFY_EVENT, 0, to);
        self.event(BUTTON_RELEASE_EVENT, 1, [0, 0]);
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // It is our child process, and may have ended already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
