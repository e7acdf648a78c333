//! What the axes of a NRRD file mean, and where the voxels are in space.
//!
//! `kinds` says what an axis is. Without it, an axis is spatial if it has a direction, or if the header has no
//! directions; a fourth such axis is time. Where the definition leaves the place in space open, it is that of ITK,
//! whose world is LPS: a header that names no space has `spacings` for directions and `axis mins` for the origin.

use super::super::text::{number, numbers, quoted};
use super::optional;
use crate::core::affine::Affine;
use crate::core::error::{Error, Result};
use crate::header::fields::TextHeader;
use crate::header::{AxisKind, Note, SpaceUnit, TimeUnit};

const DIRECTIONS: &str = "spacedirections";

/// The axes of a header.
pub(super) struct Geometry {
    pub kinds: Vec<AxisKind>,
    pub affine: Option<Affine>,
    pub zooms: Vec<f64>,
    pub space_unit: SpaceUnit,
    pub time_unit: TimeUnit,
}

impl Geometry {
    /// Reads the fields for axes of these lengths.
    ///
    /// # Errors
    /// The field that has too few or too many entries, or entries that are not what the definition says.
    pub(super) fn read(
        nrrd: &TextHeader,
        lengths: &[usize],
        notes: &mut Vec<Note>,
    ) -> Result<Self> {
        let count = lengths.len();
        let space = Space::read(nrrd)?;
        let axes = Axes {
            directions: directions(nrrd, count, space.as_ref())?,
            spacings: per_axis(nrrd, "spacings", count)?,
            units: quoted_texts(nrrd.get("units").unwrap_or_default()),
        };
        let stated = stated_kinds(nrrd, lengths, notes)?;
        let kinds = axes.kinds(&stated, space.as_ref());
        let of_space: Vec<usize> = (0..count)
            .filter(|&axis| kinds.get(axis) == Some(&AxisKind::Space))
            .collect();
        let place = match &space {
            Some(_) => axes.in_space(nrrd, &of_space)?,
            None => axes.along_axes(nrrd, lengths, &stated, &of_space)?,
        };
        let affine = place.and_then(|place| place.affine(space.as_ref()));
        if affine.is_some()
            && let Some(note) = Space::assumed(space.as_ref())
        {
            notes.push(note);
        }
        let (space_unit, time_unit) = axes.units(nrrd, &kinds, space.as_ref());
        Ok(Self {
            zooms: axes.zooms(count),
            kinds,
            affine,
            space_unit,
            time_unit,
        })
    }
}

/// The space that the directions are in.
struct Space {
    /// As the header names it, in lower case; empty if it states only the number of dimensions.
    name: String,
    dimensions: usize,
    /// Whether the last dimension is time.
    with_time: bool,
    /// The signs that convert to RAS+, if the space is defined relative to the patient.
    to_ras: Option<[f64; 3]>,
}

impl Space {
    fn read(nrrd: &TextHeader) -> Result<Option<Self>> {
        let Some(name) = nrrd.get("space") else {
            let dimensions: Option<usize> = optional(nrrd, "spacedimension")?;
            return match dimensions {
                Some(dimensions @ 1..=8) => Ok(Some(Self {
                    name: String::new(),
                    dimensions,
                    // As ITK writes images of four dimensions.
                    with_time: dimensions == 4,
                    to_ras: None,
                })),
                Some(other) => Err(Error::header("space dimension", other, "1 to 8")),
                None => Ok(None),
            };
        };
        let name = name.to_ascii_lowercase();
        let (place, with_time) = match name.as_str() {
            "rast" | "last" | "lpst" => (name.trim_end_matches('t'), true),
            long => match long.strip_suffix("-time") {
                Some(place) => (place, true),
                None => (long, false),
            },
        };
        let (dimensions, to_ras) = match place {
            "right-anterior-superior" | "ras" => (3, Some([1.0; 3])),
            "left-anterior-superior" | "las" => (3, Some([-1.0, 1.0, 1.0])),
            "left-posterior-superior" | "lps" => (3, Some([-1.0, -1.0, 1.0])),
            "scanner-xyz" | "3d-right-handed" | "3d-left-handed" => (3, None),
            "right-up" | "right-down" if !with_time => (2, None),
            _ => {
                let expected = "the name of a space";
                return Err(Error::header("space", quoted(&name), expected));
            }
        };
        Ok(Some(Self {
            dimensions: dimensions + usize::from(with_time),
            with_time,
            to_ras,
            name,
        }))
    }

    /// A note that the space was taken to be LPS.
    fn assumed(space: Option<&Self>) -> Option<Note> {
        let found = match space {
            Some(space) if space.to_ras.is_some() => return None,
            Some(space) if space.name.is_empty() => "a space dimension alone",
            Some(space) => &space.name,
            None => "no space",
        };
        Some(Note {
            field: "space",
            message: format!(
                "{found} does not say how the patient lies: treated as LPS, as in ITK"
            ),
        })
    }
}

/// What the header states about each axis.
struct Axes {
    /// The direction times the spacing; `None` for an axis that is not in space.
    directions: Option<Vec<Option<Vec<f64>>>>,
    spacings: Option<Vec<f64>>,
    units: Vec<String>,
}

impl Axes {
    fn direction(&self, axis: usize) -> Option<&[f64]> {
        self.directions.as_ref()?.get(axis)?.as_deref()
    }

    fn spacing(&self, axis: usize) -> Option<f64> {
        let spacing = *self.spacings.as_ref()?.get(axis)?;
        spacing.is_finite().then_some(spacing)
    }

    /// The kind of each axis, given what `kinds` says.
    fn kinds(&self, stated: &[Stated], space: Option<&Space>) -> Vec<AxisKind> {
        let with_time = space.is_some_and(|space| space.with_time);
        let mut of_space = 0;
        let mut kinds = Vec::with_capacity(stated.len());
        for (axis, &stated) in stated.iter().enumerate() {
            let kind = match (stated, self.direction(axis)) {
                (Stated::Range(kind), _) => kind,
                (Stated::Time, _) => AxisKind::Time,
                (_, Some(vector)) if with_time => match vector.split_last() {
                    Some((&time, place)) if time != 0.0 => {
                        match place.iter().all(|&part| part == 0.0) {
                            true => AxisKind::Time,
                            false => AxisKind::Other,
                        }
                    }
                    _ => AxisKind::Space,
                },
                (_, Some(_)) => AxisKind::Space,
                (_, None) if self.is_time(axis) => AxisKind::Time,
                (Stated::Domain, None) if self.directions.is_some() => AxisKind::Time,
                (_, None) if self.directions.is_some() => AxisKind::Other,
                (_, None) if of_space == 3 => AxisKind::Time,
                (_, None) => AxisKind::Space,
            };
            let kind = match kind {
                AxisKind::Space if of_space == 3 => AxisKind::Other,
                AxisKind::Time if kinds.contains(&AxisKind::Time) => AxisKind::Other,
                kind => kind,
            };
            of_space += usize::from(kind == AxisKind::Space);
            kinds.push(kind);
        }
        kinds
    }

    /// Whether the unit of the axis is one of time.
    fn is_time(&self, axis: usize) -> bool {
        let unit = self.units.get(axis).map(String::as_str);
        TimeUnit::named(unit.unwrap_or_default()) != TimeUnit::Unknown
    }

    /// The lengths of the directions; without directions the spacings; otherwise 1.
    fn zooms(&self, count: usize) -> Vec<f64> {
        let zoom = |axis| match self.direction(axis) {
            Some(vector) => vector.iter().map(|x| x * x).sum::<f64>().sqrt(),
            None => self.spacing(axis).map_or(1.0, f64::abs),
        };
        (0..count).map(zoom).collect()
    }

    /// The directions of the spatial axes, and the origin, in the header's space.
    fn in_space(&self, nrrd: &TextHeader, of_space: &[usize]) -> Result<Option<SpaceAxes>> {
        let origin = match nrrd.get("spaceorigin") {
            Some(text) => vector("spaceorigin", text)?.0.unwrap_or_default(),
            None => Vec::new(),
        };
        if self.directions.is_none() {
            let columns = self.diagonal(of_space);
            return Ok(Some(SpaceAxes { columns, origin }));
        }
        let columns = of_space.iter().filter_map(|&axis| self.direction(axis));
        let columns: Vec<Vec<f64>> = columns.map(<[f64]>::to_vec).collect();
        Ok((columns.len() == of_space.len()).then_some(SpaceAxes { columns, origin }))
    }

    /// The spacings of the spatial axes, and the middle of the first voxel: `axis mins`, and half a spacing more unless
    /// the axis is centred on nodes. As teem's `nrrdOriginCalculate`, whose result ITK uses.
    fn along_axes(
        &self,
        nrrd: &TextHeader,
        lengths: &[usize],
        stated: &[Stated],
        of_space: &[usize],
    ) -> Result<Option<SpaceAxes>> {
        let mins = per_axis(nrrd, "axismins", lengths.len())?;
        let maxs = per_axis(nrrd, "axismaxs", lengths.len())?;
        let centers = nrrd.get("centers").or(nrrd.get("centerings"));
        let centers: Vec<&str> = centers.unwrap_or_default().split_whitespace().collect();
        let at = |values: &Option<Vec<f64>>, axis: usize| {
            let value = *values.as_ref()?.get(axis)?;
            value.is_finite().then_some(value)
        };
        let start = |axis: usize| {
            let min = at(&mins, axis)?;
            let of_node = centers.get(axis) == Some(&"node");
            let length = lengths.get(axis).copied().unwrap_or(1) as f64;
            let steps = if of_node { length - 1.0 } else { length };
            let spacing = match self.spacing(axis) {
                Some(spacing) => spacing,
                None => (at(&maxs, axis)? - min) / steps,
            };
            Some(min + if of_node { 0.0 } else { spacing / 2.0 })
        };
        // If one domain axis has no minimum or no spacing, the origin is 0, even if that axis is not spatial.
        let domains = stated.iter().enumerate();
        let domains = domains.filter(|(_, stated)| !matches!(stated, Stated::Range(_)));
        let complete = domains.map(|(axis, _)| start(axis)).all(|at| at.is_some());
        let origin: Option<Vec<f64>> = match complete {
            true => of_space.iter().map(|&axis| start(axis)).collect(),
            false => None,
        };
        Ok(Some(SpaceAxes {
            columns: self.diagonal(of_space),
            origin: origin.unwrap_or_default(),
        }))
    }

    /// One column for each spatial axis: the first has its spacing along x, the second along y, the third along z.
    fn diagonal(&self, of_space: &[usize]) -> Vec<Vec<f64>> {
        let column = |(rank, &axis): (usize, &usize)| {
            let mut column = vec![0.0; 3];
            if let Some(entry) = column.get_mut(rank) {
                *entry = self.spacing(axis).unwrap_or(1.0);
            }
            column
        };
        of_space.iter().enumerate().map(column).collect()
    }

    /// The units of space and of time. The default is millimetres in spaces that are defined relative to the patient.
    fn units(
        &self,
        nrrd: &TextHeader,
        kinds: &[AxisKind],
        space: Option<&Space>,
    ) -> (SpaceUnit, TimeUnit) {
        let of_space = quoted_texts(nrrd.get("spaceunits").unwrap_or_default());
        let along = |kind: AxisKind| {
            let axes = kinds.iter().zip(&self.units);
            let of_kind = axes.filter(move |&(&known, _)| known == kind);
            of_kind.map(|(_, unit)| unit.as_str())
        };
        let dimensions = space.map_or(0, |space| space.dimensions - usize::from(space.with_time));
        let mut stated = of_space
            .iter()
            .take(dimensions)
            .map(String::as_str)
            .chain(along(AxisKind::Space))
            .filter(|unit| !unit.is_empty())
            .map(SpaceUnit::named);
        let space_unit = match stated.next() {
            Some(first) if stated.all(|unit| unit == first) => first,
            Some(_) => SpaceUnit::Unknown,
            None if space.is_some_and(|space| space.to_ras.is_some()) => SpaceUnit::Millimetre,
            None => SpaceUnit::Unknown,
        };
        let fourth = match space {
            Some(space) if space.with_time => of_space.get(dimensions).map(String::as_str),
            _ => None,
        };
        let time = along(AxisKind::Time).chain(fourth).map(TimeUnit::named);
        let mut known = time.filter(|unit| *unit != TimeUnit::Unknown);
        (space_unit, known.next().unwrap_or_default())
    }
}

/// The columns and the origin of an affine, in the header's space.
struct SpaceAxes {
    columns: Vec<Vec<f64>>,
    origin: Vec<f64>,
}

impl SpaceAxes {
    /// The affine to RAS+; `None` unless there are two or three spatial axes. With two, the third column is the
    /// direction across them.
    fn affine(&self, space: Option<&Space>) -> Option<Affine> {
        let part = |column: &Vec<f64>, row: usize| match column.get(row) {
            Some(value) if value.is_finite() => *value,
            _ => 0.0,
        };
        let column = |column: &Vec<f64>| [0, 1, 2].map(|row| part(column, row));
        let columns: Vec<[f64; 3]> = self.columns.iter().map(column).collect();
        let [x, y, z] = match *columns.as_slice() {
            [x, y, z] => [x, y, z],
            [x, y] => [x, y, across(x, y)],
            _ => return None,
        };
        let signs = space
            .and_then(|space| space.to_ras)
            .unwrap_or([-1.0, -1.0, 1.0]);
        let origin = column(&self.origin);
        let mut affine = [[0.0, 0.0, 0.0, 1.0]; 4];
        for (row, sign) in signs.into_iter().enumerate() {
            // Adding 0 turns -0 into 0.
            affine[row] = [x, y, z, origin].map(|column| column[row] * sign + 0.0);
        }
        Some(affine)
    }
}

/// The direction across two others, of length 1; z if they are parallel.
fn across(x: [f64; 3], y: [f64; 3]) -> [f64; 3] {
    let cross = [
        x[1] * y[2] - x[2] * y[1],
        x[2] * y[0] - x[0] * y[2],
        x[0] * y[1] - x[1] * y[0],
    ];
    // Within the plane of x and y the third axis is z, whatever the sense of rotation, as in two-dimensional ITK
    // images.
    if cross[0] == 0.0 && cross[1] == 0.0 {
        return [0.0, 0.0, 1.0];
    }
    let length = cross.iter().map(|part| part * part).sum::<f64>().sqrt();
    cross.map(|part| part / length)
}

/// What `kinds` says about an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stated {
    /// Nothing.
    Unknown,
    /// An independent variable.
    Domain,
    /// A place in space.
    Space,
    /// Time.
    Time,
    /// Dependent variables; the axis is of this kind.
    Range(AxisKind),
}

/// The entries of `kinds`, by teem's names for them.
fn stated_kinds(
    nrrd: &TextHeader,
    lengths: &[usize],
    notes: &mut Vec<Note>,
) -> Result<Vec<Stated>> {
    let Some(text) = nrrd.get("kinds") else {
        return Ok(vec![Stated::Unknown; lengths.len()]);
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.len() != lengths.len() {
        let expected = format!("{}, one for each axis", lengths.len());
        return Err(Error::header(
            "kinds",
            format!("{} kinds", words.len()),
            expected,
        ));
    }
    let mut note = |message| {
        notes.push(Note {
            field: "kinds",
            message,
        });
    };
    let mut kinds = Vec::with_capacity(words.len());
    for (word, &length) in words.into_iter().zip(lengths) {
        let Some((kind, wanted)) = kind(&word.to_ascii_lowercase()) else {
            note(format!("{} is not a known kind: ignored", quoted(word)));
            kinds.push(Stated::Unknown);
            continue;
        };
        if wanted != 0 && wanted != length {
            note(format!(
                "an axis of kind {word} has {wanted} samples, this one has {length}"
            ));
        }
        kinds.push(kind);
    }
    Ok(kinds)
}

/// The meaning of a kind in lower case, and the length of such an axis; 0 if it can have any.
fn kind(word: &str) -> Option<(Stated, usize)> {
    const COMPONENT: Stated = Stated::Range(AxisKind::Component);
    const OTHER: Stated = Stated::Range(AxisKind::Other);
    Some(match word {
        "???" | "none" => (Stated::Unknown, 0),
        "domain" => (Stated::Domain, 0),
        "space" => (Stated::Space, 0),
        "time" => (Stated::Time, 0),
        "list" => (OTHER, 0),
        "stub" => (OTHER, 1),
        "point" | "vector" | "contravariant-vector" | "covariant-vector" | "normal" => {
            (COMPONENT, 0)
        }
        "scalar" => (COMPONENT, 1),
        "complex" | "2-vector" => (COMPONENT, 2),
        "3-color" | "rgb-color" | "rgbcolor" | "rgb" | "hsv-color" | "hsvcolor" | "hsv"
        | "xyz-color" | "3-vector" | "3-gradient" | "3-normal" => (COMPONENT, 3),
        "4-color" | "rgba-color" | "rgbacolor" | "rgba" | "4-vector" | "quaternion" => {
            (COMPONENT, 4)
        }
        matrix => (COMPONENT, matrix_size(matrix)?),
    })
}

/// The number of entries of a kind of matrix: `2D-` or `3D-`, `masked-`, `symmetric-` or `sym-`, `matrix` or `tensor`.
fn matrix_size(word: &str) -> Option<usize> {
    let (full, symmetric, rest) = match word.strip_prefix("2d-") {
        Some(rest) => (4, 3, rest),
        None => (9, 6, word.strip_prefix("3d-")?),
    };
    let (mask, rest) = match rest.strip_prefix("masked-") {
        Some(rest) => (1, rest),
        None => (0, rest),
    };
    let without = rest
        .strip_prefix("symmetric-")
        .or_else(|| rest.strip_prefix("sym-"));
    let (entries, rest) = match without {
        Some(rest) => (symmetric, rest),
        None => (full, rest),
    };
    matches!(rest, "matrix" | "tensor").then_some(mask + entries)
}

/// One number for each axis; NaN where the header has none.
fn per_axis(nrrd: &TextHeader, field: &'static str, count: usize) -> Result<Option<Vec<f64>>> {
    let Some(text) = nrrd.get(field) else {
        return Ok(None);
    };
    let values: Vec<f64> = numbers(field, text)?;
    if values.len() != count {
        let found = format!("{} numbers", values.len());
        return Err(Error::header(field, found, format!("{count}")));
    }
    Ok(Some(values))
}

/// The direction of each axis, with as many parts as the space has dimensions.
fn directions(
    nrrd: &TextHeader,
    count: usize,
    space: Option<&Space>,
) -> Result<Option<Vec<Option<Vec<f64>>>>> {
    let Some(text) = nrrd.get(DIRECTIONS) else {
        return Ok(None);
    };
    let Some(space) = space else {
        let expected = "a space or a space dimension beside the directions";
        return Err(Error::header("space", "nothing", expected));
    };
    let mut rest = text.trim();
    let mut directions = Vec::new();
    while !rest.is_empty() {
        let (direction, after) = vector(DIRECTIONS, rest)?;
        if let Some(direction) = &direction
            && direction.len() != space.dimensions
        {
            let found = format!("{} numbers", direction.len());
            let expected = format!("one for each of the {} dimensions", space.dimensions);
            return Err(Error::header(DIRECTIONS, found, expected));
        }
        directions.push(direction);
        rest = after;
    }
    if directions.len() != count {
        let found = format!("{} directions", directions.len());
        return Err(Error::header(DIRECTIONS, found, format!("{count}")));
    }
    Ok(Some(directions))
}

/// A vector `(x,y,z)` at the start of a text, and the rest of the text; `None` for `none` and for a vector of NaN.
fn vector<'a>(field: &'static str, text: &'a str) -> Result<(Option<Vec<f64>>, &'a str)> {
    let text = text.trim_start();
    if let Some(after) = text.strip_prefix("none") {
        return Ok((None, after.trim_start()));
    }
    let refuse = || Error::header(field, quoted(text), "vectors (x,y,z)");
    let inside = text.strip_prefix('(').ok_or_else(refuse)?;
    let (inside, after) = inside.split_once(')').ok_or_else(refuse)?;
    let values = inside.split(',').map(|word| number(field, word));
    let values: Vec<f64> = values.collect::<Result<_>>()?;
    let exists = values.iter().any(|value| !value.is_nan());
    Ok((exists.then_some(values), after.trim_start()))
}

/// Texts in double quotes, separated by white space; `\"` is a quote.
fn quoted_texts(text: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut chars = text.chars();
    while chars.by_ref().any(|c| c == '"') {
        let mut found = String::new();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => found.extend(chars.next()),
                c => found.push(c),
            }
        }
        texts.push(found);
    }
    texts
}
