package IM::Sort;

# Lines sorted on disk by sort(1), in bounded memory whatever their number.
#
#     my $s = IM::Sort->new(dir => $tmp, name => 'x', keys => [ '1,1', '2,2r' ]);
#     $s->add($key, $more);       # fields without tabs and line feeds: escape()
#     $s->finish;
#     while (my $fields = $s->next) { ... }
#
# find() looks a key up in the sorted file: those in the first field, equal to
# the bytes given.

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT_OK = qw(escape unescape);

my $MEMORY = '24M';
my $CACHE = 20000;


sub new {
    my ($class, %o) = @_;
    my $self = bless { %o, file => "$o{dir}/$o{name}", rows => 0 }, $class;

    local $ENV{LC_ALL} = 'C';
    open $self->{to}, '|-', 'sort', '-t', "\t", '-S', $MEMORY, '-T', $o{dir},
        ($o{unique} ? '-u' : ()), '-o', $self->{file},
        map { "-k$_" } @{ $o{keys} || [ '1,1' ] }
        or die "sort: $!\n";
    binmode $self->{to};
    return $self;
}


sub add {
    my $self = shift;
    $self->{rows}++;
    print { $self->{to} } join("\t", @_), "\n" or die "sort: $!\n";
}


sub finish {
    my ($self) = @_;
    close delete $self->{to} or die "sort failed: is $self->{dir} full?\n";
    open $self->{from}, '<:raw', $self->{file} or die "$self->{file}: $!\n";
    $self->{size} = -s $self->{from};
    return $self;
}


sub next {
    my ($self) = @_;
    my $line = readline $self->{from};
    return if !defined $line;
    chomp $line;
    return [ split /\t/, $line, -1 ];
}


# the next line without taking it

sub peek {
    my ($self) = @_;
    $self->{ahead} //= $self->next;
    return $self->{ahead};
}


sub take {
    my ($self) = @_;
    return delete $self->{ahead} // $self->next;
}


sub rewind {
    my ($self) = @_;
    seek $self->{from}, 0, 0;
    delete $self->{ahead};
    return $self;
}


# all lines of a key, as lists of fields

sub find {
    my ($self, $key) = @_;

    return @{ $self->{cache}{$key} } if $self->{cache}{$key};

    my ($fh, $low, $high) = ($self->{from}, 0, $self->{size});

    # the first line at or after $low that is not below the key

    while ($high - $low > 0) {
        my $mid = int(($low + $high) / 2);
        line_after($fh, $mid);
        my $line = readline $fh;
        if (defined $line && (split /\t/, $line, 2)[0] =~ s/\n\z//r lt $key) {
            $low = $mid + 1;
        } else {
            $high = $mid;
        }
    }

    line_after($fh, $low);

    my @found;
    while (defined(my $line = readline $fh)) {
        chomp $line;
        my @fields = split /\t/, $line, -1;
        last if $fields[0] ne $key;
        push @found, \@fields;
    }

    $self->{cache} = {} if keys %{ $self->{cache} || {} } >= $CACHE;
    $self->{cache}{$key} = \@found;
    return @found;
}


# to the first line that starts at this offset or later

sub line_after {
    my ($fh, $offset) = @_;
    seek $fh, $offset ? $offset - 1 : 0, 0;
    readline $fh if $offset;
}


# a field without tabs and line feeds; ids of the usual form stay as they are

sub escape {
    my ($text) = @_;
    utf8::encode($text) if utf8::is_utf8($text);
    $text =~ s/([\x00-\x1f%])/sprintf '%%%02X', ord $1/ge;
    return $text;
}


sub unescape {
    my ($bytes) = @_;
    $bytes =~ s/%([0-9A-F]{2})/chr hex $1/ge;
    utf8::decode($bytes);
    return $bytes;
}


1;
