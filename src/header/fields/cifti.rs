//! What the XML extension of a CIFTI-2 file says about the axes of its matrix ("CIFTI-2 Connectivity File Format",
//! <https://www.nitrc.org/projects/cifti/>).

use roxmltree::{Document, Node};

use super::nifti::{CIFTI, NiftiHeader};
use crate::core::error::{Error, Result};

/// The version of a CIFTI file, and the meaning of each axis of its matrix.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Cifti {
    /// The version, as the file has it (`2` or `2.0`).
    pub version: String,
    /// The maps from indices to what they stand for.
    pub maps: Vec<CiftiMap>,
}

/// What the indices along some axes stand for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CiftiMap {
    /// The axes of the matrix, and so of the image's shape.
    pub axes: Vec<usize>,
    /// What the indices stand for.
    pub meaning: CiftiMeaning,
}

/// What indices of a CIFTI matrix stand for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum CiftiMeaning {
    /// Vertices of surfaces and voxels of volumes, by structure.
    BrainModels(Vec<BrainModel>),
    /// Parcels of the brain, by name.
    Parcels(Vec<String>),
    /// Steps of equal size.
    Series(CiftiSeries),
    /// Maps of numbers, by name.
    Scalars(Vec<String>),
    /// Maps of labels, by name.
    Labels(Vec<String>),
    /// Something else; the file's own word for it.
    Other(String),
}

/// A structure of the brain, and the indices of its vertices or voxels.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrainModel {
    /// The structure, as `CORTEX_LEFT`.
    pub structure: String,
    /// Whether it consists of vertices of a surface, and not of voxels.
    pub is_surface: bool,
    /// The first index.
    pub offset: usize,
    /// Number of indices.
    pub count: usize,
}

/// Steps of equal size, in time or something else.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CiftiSeries {
    /// The value at the first index, in [`Self::unit`].
    pub start: f64,
    /// The difference between two indices, in [`Self::unit`].
    pub step: f64,
    /// The unit, as the file has it: `SECOND`, `HERTZ`, `METER` or `RADIAN`.
    pub unit: String,
    /// Number of indices.
    pub points: usize,
}

impl CiftiMap {
    /// Number of indices; `None` if their meaning is not one of the format's.
    pub fn length(&self) -> Option<usize> {
        match &self.meaning {
            CiftiMeaning::BrainModels(models) => {
                let mut models = models.iter();
                models.try_fold(0usize, |largest, model| {
                    let end = model.offset.checked_add(model.count)?;
                    Some(largest.max(end))
                })
            }
            CiftiMeaning::Parcels(names)
            | CiftiMeaning::Scalars(names)
            | CiftiMeaning::Labels(names) => Some(names.len()),
            CiftiMeaning::Series(series) => Some(series.points),
            CiftiMeaning::Other(_) => None,
        }
    }
}

impl NiftiHeader {
    /// What the CIFTI extension says; `None` if there is no such extension.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Header`] if the XML cannot be parsed, or for a version below 2.
    pub fn cifti(&self) -> Result<Option<Cifti>> {
        let extension = self.extensions.iter().find(|e| e.code == CIFTI);
        extension.map(|e| Cifti::parse(&e.content)).transpose()
    }
}

const FIELD: &str = "CIFTI extension";

impl Cifti {
    /// Parses the XML. Document types, and so entities, are rejected, so that the XML cannot expand.
    fn parse(xml: &[u8]) -> Result<Self> {
        let broken = |error: String| Error::header(FIELD, error, "XML");
        let text = std::str::from_utf8(xml).map_err(|error| broken(error.to_string()))?;
        let document = Document::parse(text).map_err(|error| broken(error.to_string()))?;
        let root = document.root_element();
        if !root.has_tag_name("CIFTI") {
            let found = format!("an element {:?}", root.tag_name().name());
            return Err(Error::header(FIELD, found, "an element \"CIFTI\""));
        }
        let version = attribute(root, "Version")?;
        let major = version.trim().split('.').next().unwrap_or_default();
        match major.parse::<u32>() {
            Ok(2..) => {}
            _ => {
                let found = format!("CIFTI version {version:?}");
                return Err(Error::header("Version", found, "2 or later"));
            }
        }
        let matrix = elements(root, "Matrix").next();
        let maps = matrix
            .into_iter()
            .flat_map(|matrix| elements(matrix, "MatrixIndicesMap"));
        Ok(Self {
            version: version.to_owned(),
            maps: maps.map(map).collect::<Result<_>>()?,
        })
    }
}

fn map(element: Node) -> Result<CiftiMap> {
    const AXES: &str = "AppliesToMatrixDimension";
    let axes = attribute(element, AXES)?.split(',');
    let names = |of: &str| -> Result<Vec<String>> {
        elements(element, "NamedMap")
            .map(|map| match elements(map, of).next() {
                Some(name) => Ok(name.text().unwrap_or_default().trim().to_owned()),
                None => Err(Error::header(FIELD, "a map without a name", of)),
            })
            .collect()
    };
    let meaning =
        match attribute(element, "IndicesMapToDataType")?.trim_start_matches("CIFTI_INDEX_TYPE_") {
            "BRAIN_MODELS" => {
                let models = elements(element, "BrainModel").map(brain_model);
                CiftiMeaning::BrainModels(models.collect::<Result<_>>()?)
            }
            "PARCELS" => {
                let parcels = elements(element, "Parcel");
                let names = parcels.map(|parcel| Ok(attribute(parcel, "Name")?.to_owned()));
                CiftiMeaning::Parcels(names.collect::<Result<_>>()?)
            }
            "SERIES" => {
                let exponent: i32 = number(element, "SeriesExponent")?;
                let scaled = |name| -> Result<f64> {
                    let value: f64 = number(element, name)?;
                    // Dividing by a power of ten rounds once; multiplying by its rounded inverse would round twice.
                    Ok(match exponent < 0 {
                        true => value / 10f64.powi(exponent.saturating_neg()),
                        false => value * 10f64.powi(exponent),
                    })
                };
                CiftiMeaning::Series(CiftiSeries {
                    start: scaled("SeriesStart")?,
                    step: scaled("SeriesStep")?,
                    unit: attribute(element, "SeriesUnit")?.to_owned(),
                    points: number(element, "NumberOfSeriesPoints")?,
                })
            }
            "SCALARS" => CiftiMeaning::Scalars(names("MapName")?),
            "LABELS" => CiftiMeaning::Labels(names("MapName")?),
            other => CiftiMeaning::Other(other.to_owned()),
        };
    let axes = axes.map(|axis| parsed(AXES, axis)).collect::<Result<_>>()?;
    Ok(CiftiMap { axes, meaning })
}

fn brain_model(element: Node) -> Result<BrainModel> {
    let structure = attribute(element, "BrainStructure")?;
    let model = attribute(element, "ModelType")?;
    Ok(BrainModel {
        structure: structure.trim_start_matches("CIFTI_STRUCTURE_").to_owned(),
        is_surface: model == "CIFTI_MODEL_TYPE_SURFACE",
        offset: number(element, "IndexOffset")?,
        count: number(element, "IndexCount")?,
    })
}

/// The children of an element with this name.
fn elements<'a>(of: Node<'a, 'a>, name: &str) -> impl Iterator<Item = Node<'a, 'a>> {
    let mut children = of.children();
    std::iter::from_fn(move || children.find(|child| child.has_tag_name(name)))
}

fn attribute<'a>(of: Node<'a, 'a>, name: &'static str) -> Result<&'a str> {
    of.attribute(name)
        .ok_or_else(|| Error::header(name, "nothing", "the attribute"))
}

fn number<T: std::str::FromStr>(of: Node, name: &'static str) -> Result<T> {
    parsed(name, attribute(of, name)?)
}

fn parsed<T: std::str::FromStr>(name: &'static str, text: &str) -> Result<T> {
    let refuse = |_| Error::header(name, format!("{text:?}"), "a number");
    text.trim().parse().map_err(refuse)
}
