package IM::JSON;

# JSON as bytes.  Cpanel::JSON::XS is used where it is installed: the same
# output, about fifty times as fast.

use strict;
use warnings;

use Encode ();
use Exporter qw(import);

our @EXPORT_OK = qw(decode_json encode_json string object clean codec);

my $class = eval { require Cpanel::JSON::XS; 1 } ? 'Cpanel::JSON::XS'
          : do { require JSON::PP; 'JSON::PP' };
my $codec = $class->new->utf8->canonical->allow_nonref;


sub codec { return $class }


# The value and, in a list, how much had to be repaired: lone surrogates and bytes that are
# not UTF-8 become U+FFFD.  Dies if it is not JSON.

sub decode_json {
    my ($bytes) = @_;
    my $value;

    return wantarray ? ($value, 0) : $value
        if eval { $value = $codec->decode($bytes); 1 };
    my $error = $@;

    my $n = 0;
    my $text = Encode::decode('UTF-8', $bytes, sub { $n++; "\x{fffd}" });
    $text =~ s{(\\[^u])
              |(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})
              |\\u[dD][89a-fA-F][0-9a-fA-F]{2}}
              { defined $1 ? $1 : defined $2 ? $2 : do { $n++; '\ufffd' } }gex;

    die $error if !$n;
    $value = $codec->decode(Encode::encode('UTF-8', $text));
    return wantarray ? ($value, $n) : $value;
}


sub encode_json { return $codec->encode($_[0]) }


# a string, also if it looks like a number or was used as one

sub string { return $codec->encode("$_[0]") }


# An object with its members in this order; values are JSON already, those that
# are undefined are left out.

sub object {
    my @out;
    while (my ($name, $json) = splice @_, 0, 2) {
        push @out, qq("$name":$json) if defined $json;
    }
    return '{' . join(',', @out) . '}';
}


# A text that the API takes, and the number of characters replaced: it refuses
# NUL and surrogates.

sub clean {
    my ($text) = @_;
    my $n = () = $text =~ /[\0\x{d800}-\x{dfff}]/g;
    $text =~ s/[\0\x{d800}-\x{dfff}]/\x{fffd}/g if $n;
    return ($text, $n);
}


1;
